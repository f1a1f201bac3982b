#![doc = include_str!("../README.md")]

mod breakers;
mod budget;
mod flight;
mod interest;
mod lookup;
mod lookups;
mod memory;
mod outcome;
mod refusal;
mod settings;

pub use budget::{Budget, Network, Spent};
pub use flight::{Verdict, Waiter, has_timer};
pub use interest::Interest;
pub use lookup::{Blame, Found, Looking, Lookup, Trouble};
pub use lookups::{Judgement, Lookups};
pub use memory::Ages;
pub use refusal::Refusal;
pub use settings::Settings;
