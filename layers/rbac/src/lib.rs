#![doc = include_str!("../README.md")]

mod asker;
mod baseline;
mod builder;
mod capabilities;
mod challenges;
#[cfg(feature = "serde")]
mod config;
mod decision;
mod error;
#[cfg(feature = "files")]
mod file;
mod handle;
mod hierarchy;
mod index;
mod layer;
mod lint;
mod lists;
mod needs;
mod operation;
mod policy;
mod presets;
mod reason;
mod roles;
mod rule;
mod rules;
mod scopes;
mod service;
mod shadow;
mod told;
#[cfg(feature = "serde")]
mod unique;
mod version;
mod watched;

pub use builder::PolicyBuilder;
#[cfg(feature = "serde")]
pub use config::{ListConfig, RbacConfig, RoleConfig, RuleConfig};
pub use decision::Decision;
pub use error::RbacConfigError;
#[cfg(feature = "files")]
pub use file::PolicyFileError;
pub use handle::PolicyHandle;
pub use layer::RbacLayer;
pub use lint::{Catalog, LintError, LintFinding};
pub use lists::{ListBody, ListFilter, ListFuture};
pub use operation::Operation;
pub use policy::Policy;
pub use presets::Preset;
pub use rule::Rule;
pub use service::{Rbac, RbacRules, ResponseFuture};
pub use told::Told;
