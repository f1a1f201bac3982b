#![doc = include_str!("../README.md")]

#[cfg(feature = "layer")]
mod answer;
#[cfg(feature = "layer")]
mod characters;
#[cfg(feature = "layer")]
mod document;
#[cfg(feature = "layer")]
mod error;
#[cfg(feature = "layer")]
mod layer;
#[cfg(feature = "layer")]
mod limits;
#[cfg(feature = "safe")]
pub mod safe;
#[cfg(feature = "layer")]
mod schema;
#[cfg(feature = "layer")]
mod service;
#[cfg(feature = "layer")]
mod violation;

#[cfg(feature = "layer")]
pub use self::{
    characters::Characters,
    error::ValidateConfigError,
    layer::ValidateLayer,
    limits::ArgumentLimits,
    schema::{Schema, SchemaError},
    service::{ResponseFuture, Validate, ValidateRules},
    violation::Violation,
};
