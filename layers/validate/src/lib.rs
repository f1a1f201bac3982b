#![doc = include_str!("../README.md")]

#[cfg(feature = "layer")]
mod answer;
#[cfg(feature = "layer")]
mod answers;
#[cfg(feature = "layer")]
mod body;
#[cfg(feature = "layer")]
mod characters;
#[cfg(feature = "layer")]
mod check;
#[cfg(feature = "serde")]
mod config;
#[cfg(feature = "layer")]
mod document;
#[cfg(feature = "layer")]
mod error;
#[cfg(feature = "layer")]
mod fingerprint;
#[cfg(feature = "safe")]
pub mod guide;
#[cfg(feature = "layer")]
mod layer;
#[cfg(feature = "layer")]
mod learn;
#[cfg(feature = "layer")]
mod limits;
#[cfg(feature = "layer")]
mod rules;
#[cfg(feature = "safe")]
pub mod safe;
#[cfg(feature = "layer")]
mod schema;
#[cfg(feature = "screening")]
mod screen;
#[cfg(feature = "layer")]
mod service;
#[cfg(feature = "typed")]
pub mod typed;
#[cfg(feature = "layer")]
mod violation;

#[cfg(feature = "layer")]
pub use self::{
    answers::Answers,
    body::CheckBody,
    characters::Characters,
    check::{Check, CheckFuture},
    error::ValidateConfigError,
    fingerprint::Fingerprint,
    layer::ValidateLayer,
    learn::{Learning, OnChange, Pins},
    limits::ArgumentLimits,
    schema::{Schema, SchemaError},
    service::{Reading, ResponseFuture, Validate},
    violation::Violation,
};

#[cfg(feature = "screening")]
pub use self::screen::{Detector, OnFind, Screening};

#[cfg(all(feature = "screening", feature = "serde"))]
pub use self::screen::{OnFindConfig, ScreeningConfig};

#[cfg(feature = "serde")]
pub use self::config::{
    AnswersConfig, LearningConfig, LimitsConfig, OnChangeConfig, ToolConfig, ValidateConfig,
};
