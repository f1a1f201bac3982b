//! A log that can't be altered unnoticed.

mod checkpoint;
mod head;
mod keys;
mod link;
mod resume;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    fmt, io,
    time::{Duration, Instant},
};

pub use head::{Head, NoHead};
pub use keys::{ChainKeys, VerifyKeys};
pub use verify::{Bad, BadKind, Report, verify};

use bartizan_core::guarded;

use crate::{AuditConfigError, Commit, Outlet, Record, file::RotatingFile};
use link::Hash;

/// Numbers and chains each line of a [`RotatingFile`], and signs where it has come to.
///
/// A line ends with one more member: `"chain":{"seq":…,"key":…,"hash":"…","mac":"…"}`. The hash (SHA-256) covers the
/// line and the hash of the one before; the MAC (HMAC-SHA256, 16 bytes of it) the number and the hash. A
/// [checkpoint](Self::checkpoints) is a line of type `audit_checkpoint`, with an Ed25519 signature of the hash
/// before it; the first line of each file is one. So the chain goes on through rotation, and through a restart,
/// for which the file's end is read again and verified.
///
/// What [`verify`] finds, and with which key, is in the [crate's docs](crate).
///
/// ```
/// use bartizan_audit::{AuditLayer, Chain, ChainKeys, Queue, RotatingFile, verify};
/// use bartizan_core::Secret;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("audit.log");
/// // Of the system's random generator, and kept as secrets.
/// let keys = ChainKeys::new(1, &Secret::from(vec![7; 32]), &Secret::from(vec![9; 32]))?;
/// let chain = Chain::over(RotatingFile::open(&path)?, keys.clone())?
///     .heads(|head| eprintln!("{head}")); // Better to another machine.
/// let layer = AuditLayer::new(Queue::to(chain));
/// # drop(layer);
/// let report = verify([std::fs::read(&path)?.as_slice()], &keys.verifying(), None)?;
/// assert!(report.is_good());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Chain {
    file: RotatingFile,
    keys: ChainKeys,
    /// The last line's number and hash.
    seq: u64,
    hash: Hash,
    /// Lines since the last checkpoint, and since when.
    unsigned: u64,
    since: Option<Instant>,
    every: u64,
    within: Duration,
    heads: Option<Box<dyn FnMut(&Head) + Send>>,
    /// The newest that nobody was told of.
    fresh: Option<Head>,
}

impl Chain {
    /// Lines between two checkpoints, unless [`checkpoints`](Self::checkpoints) says otherwise.
    pub const DEFAULT_LINES: u64 = 1000;

    /// Seconds between two checkpoints, unless [`checkpoints`](Self::checkpoints) says otherwise.
    pub const DEFAULT_SECONDS: u64 = 10;

    /// Chains what is written to this file, on from its last line, or that of the one that was kept last.
    ///
    /// # Errors
    ///
    /// If it is a pipe or a device, or ends with what these keys did not make.
    pub fn over(file: RotatingFile, keys: ChainKeys) -> Result<Self, AuditConfigError> {
        let last = if file.is_regular() {
            resume::last(&file, &keys)
        } else {
            Err("is no regular file, so that no chain can go on".to_owned())
        };
        let (seq, hash) = last.map_err(|problem| {
            AuditConfigError::new("chain of", file.path().to_string_lossy(), problem)
        })?;
        Ok(Self {
            file,
            keys,
            seq,
            hash,
            unsigned: 0,
            since: None,
            every: Self::DEFAULT_LINES,
            within: Duration::from_secs(Self::DEFAULT_SECONDS),
            heads: None,
            fresh: None,
        })
    }

    /// A checkpoint comes after so many lines, and so long after the first line that has none: 1000 and
    /// ten seconds unless said otherwise. One comes at the end, and before and after each rotation.
    ///
    /// # Errors
    ///
    /// If there are no lines, or more than a million, or the time is 0 or above a day.
    pub fn checkpoints(mut self, every: u64, within: Duration) -> Result<Self, AuditConfigError> {
        if !(1..=1_000_000).contains(&every) {
            let problem = "is not from 1 to 1000000";
            let every = every.to_string();
            return Err(AuditConfigError::new("checkpoints every", every, problem));
        }
        if within.is_zero() || within > Duration::from_secs(86_400) {
            let problem = "is not above 0 and at most a day";
            let within = format!("{within:?}");
            return Err(AuditConfigError::new("checkpoints within", within, problem));
        }
        (self.every, self.within) = (every, within);
        Ok(self)
    }

    /// Is told of the newest checkpoint once it is written, on the writer's thread: it must not dawdle. What it keeps
    /// where this machine can't reach it proves how far the log went.
    ///
    /// Written is not yet synced: after a failure of the machine's power the log may end before its head.
    #[must_use]
    pub fn heads(mut self, tell: impl FnMut(&Head) + Send + 'static) -> Self {
        self.heads = Some(Box::new(tell));
        self
    }

    fn push(&mut self, line: &[u8]) {
        if self.file.is_empty() {
            self.checkpoint(true);
        }
        self.link(line);
        self.unsigned += 1;
        self.since.get_or_insert_with(Instant::now);
        if self.unsigned >= self.every {
            self.checkpoint(false);
        }
    }

    fn checkpoint(&mut self, opens: bool) {
        let head = Head::sign(self.seq, self.hash, &self.keys);
        self.link(checkpoint::line(&head, opens).as_bytes());
        self.unsigned = 0;
        self.since = None;
        if head.seq > 0 {
            self.fresh = Some(head);
        }
    }

    fn link(&mut self, line: &[u8]) {
        // There is one, since keys are made with it.
        let Some(key) = self.keys.macs.first() else {
            return;
        };
        let seq = self.seq + 1;
        self.hash = link::append(self.file.waiting(), line, &self.hash, seq, key);
        self.seq = seq;
    }

    fn say_torn(&mut self) {
        if let Some(line) = self.file.take_torn() {
            self.push(&line);
        }
    }

    fn is_to_sign(&self) -> bool {
        self.since
            .is_some_and(|since| since.elapsed() >= self.within)
    }

    fn write_out(&mut self, commit: Commit) -> io::Result<()> {
        self.file.put(commit)?;
        if let (Some(head), Some(tell)) = (self.fresh.take(), &mut self.heads) {
            guarded(|| tell(&head));
        }
        Ok(())
    }
}

impl Outlet for Chain {
    fn take(&mut self, _: &Record<'_>, line: &[u8]) {
        self.say_torn();
        self.push(line);
    }

    fn commit(&mut self, commit: Commit) -> io::Result<()> {
        self.say_torn();
        if self.is_to_sign() {
            self.checkpoint(false);
        }
        self.write_out(commit)?;
        if self.file.is_due_to_rotate() {
            if self.unsigned > 0 {
                self.checkpoint(false);
                self.write_out(commit)?;
            }
            self.file.rotate();
        }
        Ok(())
    }

    fn last_sequence(&self) -> u64 {
        self.file.last_sequence()
    }

    fn pending(&self) -> usize {
        self.file.pending()
    }

    fn is_durable(&self) -> bool {
        self.file.is_durable()
    }

    fn due(&self) -> Option<Instant> {
        let sign = self.since.and_then(|since| since.checked_add(self.within));
        [sign, self.file.due()].into_iter().flatten().min()
    }

    fn end(&mut self) {
        self.say_torn();
        if self.unsigned > 0 {
            self.checkpoint(false);
        }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("file", &self.file)
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}
