use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CallLimits, CallLimitsError};

/// [`CallLimits`] as a configuration file writes them; what is absent has its default.
///
/// ```
/// use bartizan_core::{CallLimits, call::CallConfig};
/// let config: CallConfig = serde_json::from_str(r#"{"body_bytes": 65536}"#)?;
/// let limits = CallLimits::try_from(config)?;
/// assert_eq!(limits.body_bytes(), 65536);
/// assert!(serde_json::from_str::<CallConfig>(r#"{"body_size": 1}"#).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CallConfig {
    /// Largest body in bytes.
    pub body_bytes: Option<usize>,
    /// Deepest nesting.
    pub depth: Option<usize>,
    /// Most members of one object.
    pub members: Option<usize>,
    /// Longest time from the first to the last byte of the body, in seconds.
    pub upload_seconds: Option<u64>,
    /// Longest value of one `Mcp-*` header, in bytes.
    pub header_bytes: Option<usize>,
    /// Most `Mcp-*` headers of one request.
    pub header_count: Option<usize>,
}

impl TryFrom<CallConfig> for CallLimits {
    type Error = CallLimitsError;

    fn try_from(config: CallConfig) -> Result<Self, CallLimitsError> {
        let mut limits = Self::new();
        if let Some(bytes) = config.body_bytes {
            limits = limits.with_body_bytes(bytes)?;
        }
        if let Some(depth) = config.depth {
            limits = limits.with_depth(depth)?;
        }
        if let Some(members) = config.members {
            limits = limits.with_members(members)?;
        }
        if let Some(seconds) = config.upload_seconds {
            limits = limits.with_upload_time(Duration::from_secs(seconds))?;
        }
        if let Some(bytes) = config.header_bytes {
            limits = limits.with_header_bytes(bytes)?;
        }
        if let Some(count) = config.header_count {
            limits = limits.with_header_count(count)?;
        }
        Ok(limits)
    }
}
