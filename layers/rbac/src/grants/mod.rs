//! Roles that are granted for a time.

mod builder;
mod error;
mod explain;
mod given;
mod grant;
mod held;
mod store;

pub use builder::GrantsBuilder;
pub use error::GrantError;
pub use given::{GivenGrant, GrantId};
pub use grant::{Giver, Grant};
pub use store::Grants;
