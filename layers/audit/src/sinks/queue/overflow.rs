use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bartizan_core::guarded;

use crate::{AuditConfigError, sinks::append};

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
    /// refused at once. What an event or a watcher records on the queue's own thread never waits.
    Wait(Duration),
    /// The record's line is appended to this file, on its request's thread. An event says so; once there is
    /// room again, a record of type `audit_gap` says how many stand there. If the file fails, they are
    /// dropped, which another event says. It is no pipe: who is served would wait for its reader. Nor is it a
    /// log that a `RotatingFile` writes.
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

/// `None` once nobody can spill any more.
#[derive(Debug)]
pub(super) struct Spill(Mutex<Option<Spilling>>);

#[derive(Debug)]
struct Spilling {
    file: File,
    /// The last line has no end: the file took a part of it.
    is_torn: bool,
}

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
        let file = append::open(path, "overflow spill")?;
        if is_pipe(&file) {
            let problem = "is a pipe, for whose reader requests would wait";
            let path = path.to_string_lossy();
            return Err(AuditConfigError::new("overflow spill", path, problem));
        }
        let is_torn = false;
        Ok(Self(Mutex::new(Some(Spilling { file, is_torn }))))
    }

    /// Lets go of the file, whoever still holds this.
    pub(super) fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn write(&self, line: impl FnOnce(&mut Vec<u8>)) -> Spilled {
        let mut bytes = Vec::with_capacity(1024);
        // Room for the end of a line that was torn.
        bytes.push(b'\n');
        line(&mut bytes);
        bytes.push(b'\n');
        let mut spilling = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let append = |spilling: &mut Spilling| guarded(|| spilling.append(&bytes));
        match spilling.as_mut().and_then(append) {
            Some(Ok(())) => Spilled::Kept,
            _ => Spilled::Lost,
        }
    }
}

impl Spilling {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let mut rest = line.get(usize::from(!self.is_torn)..).unwrap_or_default();
        while !rest.is_empty() {
            let taken = match self.file.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(taken) => taken,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let (written, left) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
            self.is_torn = written.last() != Some(&b'\n');
            rest = left;
        }
        Ok(())
    }
}

#[cfg(unix)]
fn is_pipe(file: &File) -> bool {
    let metadata = file.metadata();
    metadata.is_ok_and(|it| std::os::unix::fs::FileTypeExt::is_fifo(&it.file_type()))
}

#[cfg(not(unix))]
fn is_pipe(_: &File) -> bool {
    false
}
