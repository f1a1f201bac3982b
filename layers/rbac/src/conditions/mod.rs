//! What a rule needs of a call's arguments, of its resource and of who asks.

mod argument;
mod built;
mod canonical;
mod check;
mod condition;
#[cfg(feature = "serde")]
mod config;
mod decimal;
mod leaf;
mod need;
mod number;
mod read;
mod segment;
mod shown;
mod test;
mod text;
#[cfg(feature = "serde")]
mod values;

pub use argument::Argument;
pub(crate) use built::Conditions;
pub(crate) use canonical::canonical;
pub(crate) use condition::Kind;
pub use condition::{Attribute, Condition};
#[cfg(feature = "serde")]
pub use config::ConditionConfig;
pub(crate) use need::Names;
pub use number::{Number, NumberRange};
pub(crate) use segment::placeholders;
pub use test::Literal;
pub(crate) use test::{LiteralKind, Test};
#[cfg(feature = "serde")]
pub use values::MemberPath;
