//! Roles that are granted for a time.

mod error;
mod explain;
mod given;
mod grant;
mod store;

pub use error::GrantError;
pub use given::{GivenGrant, GrantId};
pub use grant::{Giver, Grant};
pub use store::{Grants, GrantsBuilder};
