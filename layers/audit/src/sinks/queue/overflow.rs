use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{AuditConfigError, gaps::guarded, sinks::append};

/// What becomes of a record when its [`Queue`](crate::Queue) is full: its outlets are slower than
/// requests come, or stand still. None of it is silent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// The request is refused before it has an effect (AL-5), unless the layer was told otherwise. The
    /// default.
    #[default]
    Refuse,
    /// The request waits for room, so long at most, and is refused then: above 0, up to ten seconds. It
    /// blocks its thread, and with it what else runs there, which slows all requests down to what the
    /// outlets bear. While these stand still, all who wait end with the first of them, and who comes later is
    /// refused at once.
    Wait(Duration),
    /// The record's line is appended to this file, on its request's thread. An event says so; once there is
    /// room again, a record of type `audit_gap` says how many stand there. If the file fails, they are
    /// dropped.
    Spill(PathBuf),
    /// The record is dropped and counted (against AL-5). An event says so; once there is room again, a
    /// record of type `audit_gap` says how many.
    Drop,
}

/// The same with what it takes.
#[derive(Debug)]
pub(super) enum Policy {
    Wait(Duration),
    Spill(Spill),
    Drop,
}

#[derive(Debug)]
pub(super) struct Spill(Mutex<File>);

pub(super) enum Spilled {
    Kept,
    Lost,
}

const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Overflow {
    /// `None` of the default.
    pub(super) fn policy(self) -> Result<Option<Policy>, AuditConfigError> {
        Ok(match self {
            Self::Refuse => None,
            Self::Wait(patience) => {
                if patience.is_zero() || patience > LONGEST_WAIT {
                    let problem = "is not above 0 and at most 10 seconds";
                    let patience = format!("{patience:?}");
                    return Err(AuditConfigError::new("overflow wait", patience, problem));
                }
                Some(Policy::Wait(patience))
            }
            Self::Spill(path) => Some(Policy::Spill(Spill::open(&path)?)),
            Self::Drop => Some(Policy::Drop),
        })
    }
}

impl Spill {
    fn open(path: &Path) -> Result<Self, AuditConfigError> {
        Ok(Self(Mutex::new(append::open(path, "overflow spill")?)))
    }

    pub(super) fn write(&self, line: impl FnOnce(&mut Vec<u8>)) -> Spilled {
        let mut bytes = Vec::with_capacity(1024);
        line(&mut bytes);
        bytes.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match guarded(|| file.write_all(&bytes)) {
            Some(Ok(())) => Spilled::Kept,
            _ => Spilled::Lost,
        }
    }
}
