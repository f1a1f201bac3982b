use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::Overflow;

/// An [`Overflow`] as a file holds it: `"refuse"`, `{ "wait_ms": 100 }`, `{ "spill": "a/path" }` or `"danger_drop"`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OverflowConfig {
    /// See [`Overflow::Refuse`].
    #[default]
    Refuse,
    /// See [`Overflow::Wait`]; in milliseconds, from 1 to 10000.
    WaitMs(u64),
    /// See [`Overflow::Spill`].
    Spill(PathBuf),
    /// See [`Overflow::Drop`] (against AL-5).
    DangerDrop,
}

impl From<OverflowConfig> for Overflow {
    fn from(config: OverflowConfig) -> Self {
        match config {
            OverflowConfig::Refuse => Self::Refuse,
            OverflowConfig::WaitMs(millis) => Self::Wait(Duration::from_millis(millis)),
            OverflowConfig::Spill(path) => Self::Spill(path),
            OverflowConfig::DangerDrop => Self::Drop,
        }
    }
}
