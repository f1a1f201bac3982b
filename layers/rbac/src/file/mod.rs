//! Policies as text: what is wrong with one is said with its place and name.

mod error;
mod places;
mod reload;
mod watch;

pub use error::PolicyFileError;
use places::Format;
pub use watch::PolicyWatch;

use crate::{RbacConfig, RbacLayer};

/// Largest file, in bytes.
const MOST_BYTES: u64 = 8 << 20;

impl RbacConfig {
    /// Reads a policy from TOML and checks all of it, so that what comes back builds.
    ///
    /// ```
    /// use bartizan_rbac::RbacConfig;
    /// let error = RbacConfig::from_toml("
    /// [[rules]]
    /// tool = 'read_*'
    /// any_role = ['viewr']
    /// ").unwrap_err();
    /// assert_eq!(error.to_string(), "line 4, column 14: role `viewr` is not declared, in rule `tool:read_*`");
    /// ```
    ///
    /// # Errors
    ///
    /// [`PolicyFileError`] with the place and the offending name: no TOML, an unknown field, or
    /// whatever [`PolicyBuilder::build`](crate::PolicyBuilder::build) refuses. Also a text that says
    /// nothing, with neither preset nor roles nor rules.
    pub fn from_toml(text: &str) -> Result<Self, PolicyFileError> {
        let config = toml::from_str(text).map_err(|e| PolicyFileError::of_toml(text, &e))?;
        checked(config, text, Format::Toml)
    }

    /// Reads a policy from JSON and checks all of it, so that what comes back builds.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml).
    pub fn from_json(text: &str) -> Result<Self, PolicyFileError> {
        let config = serde_json::from_str(text).map_err(|e| PolicyFileError::of_json(&e))?;
        checked(config, text, Format::Json)
    }
}

fn checked(config: RbacConfig, text: &str, format: Format) -> Result<RbacConfig, PolicyFileError> {
    if config.says_nothing() {
        return Err(PolicyFileError::new(
            "says nothing: no preset, no roles and no rules",
        ));
    }
    match RbacLayer::try_from(config.clone()) {
        Ok(_) => Ok(config),
        Err(error) => Err(PolicyFileError::of_meaning(text, format, &error)),
    }
}
