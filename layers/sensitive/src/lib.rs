#![doc = include_str!("../README.md")]

mod assignments;
mod bytes;
mod credentials;
mod email;
mod encoded;
mod error;
mod escapes;
mod finder;
mod keys;
mod kind;
mod literals;
mod mask;
mod masked;
mod names;
mod numbers;
mod output;
mod pseudonyms;
mod redactor;
mod scan;

pub use error::SensitiveConfigError;
pub use finder::{Finder, Finds, Found};
pub use kind::{Kind, Kinds};
pub use masked::{Mask, Masked};
pub use names::Names;
pub use pseudonyms::Pseudonyms;
pub use redactor::Redactor;
