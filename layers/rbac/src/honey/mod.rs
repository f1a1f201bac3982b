//! Tools that are none: who calls one is found out.

mod built;
mod definition;
mod inserted;
mod tool;

pub(crate) use built::{Decoy, Honey};
pub(crate) use inserted::Decoys;
pub use tool::HoneyTool;
