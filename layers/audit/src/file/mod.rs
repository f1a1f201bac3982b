//! A file of lines that its successor follows when it is full or old.

mod place;
mod torn;

use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bartizan_core::{Event, Events, Finding, Severity, Verdict};

use crate::{
    AuditConfigError, Commit, Outlet, Record,
    gaps::{Missing, report},
    sinks::{last_sequence, still_there, sync_failed},
};
use place::Opened;

/// Appends each record's line to a file, with one write for each batch: an outlet behind a
/// [`Queue`](crate::Queue).
///
/// The file is its owner's alone (mode 600) if it is made here, and has one writer: a second one, in
/// whichever process, is refused. When it is [full](Self::rotate_at) or [old](Self::rotate_every) it is
/// kept beside as `NAME.000001`, `NAME.000002`, …, which never overwrites anything, and an empty one takes
/// its place. Nothing else may rename or cut it meanwhile; once it is removed, nothing counts as written. What was kept is never deleted here.
///
/// Records are numbered on from the last one that the file holds, or those that were kept.
///
/// A last line that a crash left half written is cut off when the file is opened; an event `line_torn` and a
/// record of type `audit_gap` say so.
///
/// What a full disk took of a batch is not written twice: the next attempt goes on where it came to. A pipe
/// or a device is written as it is, without rotation, lock and sync; one that takes nothing is not waited
/// for, but tried again.
///
/// ```
/// use bartizan_audit::{AuditLayer, Queue, RotatingFile, SyncPolicy};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("audit.log");
/// let file = RotatingFile::open(&path)?
///     .rotate_at(256 << 20)?
///     .sync(SyncPolicy::WhenAwaited);
/// // No: another one writes it.
/// assert!(RotatingFile::open(&path).is_err());
/// let layer = AuditLayer::new(Queue::to(file));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    is_regular: bool,
    bytes: u64,
    since: SystemTime,
    /// It has its name as a kept one already: a crash came between.
    is_kept: bool,
    waiting: Vec<u8>,
    /// So many bytes of it are written.
    written: usize,
    is_unsynced: bool,
    sync_failed: bool,
    sync: SyncPolicy,
    most_bytes: u64,
    longest: Option<Duration>,
    /// When a rotation that failed is tried again.
    again: Option<Instant>,
    events: Events,
    /// Bytes that a crash left of a last line, until they are told of.
    torn: u64,
}

/// When a batch is synced to the disk, by `fdatasync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SyncPolicy {
    /// When the operating system sees fit. No record is durable.
    Never,
    /// When somebody waits for a record of it until it is durable. The default.
    #[default]
    WhenAwaited,
    /// Always.
    Always,
}

/// What an empty buffer keeps.
const KEPT_BYTES: usize = 256 << 10;

/// The least that a file holds before its successor comes.
const LEAST_BYTES: u64 = 4 << 10;

const BETWEEN_ROTATIONS: Duration = Duration::from_secs(60);

impl RotatingFile {
    /// Opens the file, or makes it. Without more it is never rotated.
    ///
    /// # Errors
    ///
    /// If it can't be opened for reading and appending, another one writes it, or it ends with what is no
    /// part of a log.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AuditConfigError> {
        let path = path.as_ref();
        let opened = place::open(path).and_then(|mut opened| {
            let torn = match opened.is_regular {
                true => torn::cut(&mut opened.file)?,
                false => 0,
            };
            Ok((opened, torn))
        });
        let (opened, torn) = opened.map_err(|error| {
            let problem = format!("can't be opened: {error}");
            AuditConfigError::new("file", path.to_string_lossy(), problem)
        })?;
        let bytes = opened.file.metadata().map_or(0, |metadata| metadata.len());
        let Opened {
            path,
            file,
            is_regular,
            since,
            is_kept,
        } = opened;
        Ok(Self {
            path,
            file,
            is_regular,
            bytes,
            since,
            is_kept,
            waiting: Vec::new(),
            written: 0,
            is_unsynced: false,
            sync_failed: false,
            sync: SyncPolicy::default(),
            most_bytes: u64::MAX,
            longest: None,
            again: None,
            events: Events::default(),
            torn,
        })
    }

    /// Bytes after which the next file begins, with the batch that follows: a file may exceed it by 128 KiB.
    ///
    /// # Errors
    ///
    /// If it is below 4096.
    pub fn rotate_at(mut self, bytes: u64) -> Result<Self, AuditConfigError> {
        if bytes < LEAST_BYTES {
            let problem = "is below 4096 bytes";
            return Err(AuditConfigError::new(
                "rotate_at",
                bytes.to_string(),
                problem,
            ));
        }
        self.most_bytes = bytes;
        Ok(self)
    }

    /// The age at which the next file begins, if there is anything in this one. Restarts don't change it
    /// where the file system keeps when a file was made.
    ///
    /// # Errors
    ///
    /// If it is below a second.
    pub fn rotate_every(mut self, age: Duration) -> Result<Self, AuditConfigError> {
        if age < Duration::from_secs(1) {
            let problem = "is below a second";
            return Err(AuditConfigError::new(
                "rotate_every",
                format!("{age:?}"),
                problem,
            ));
        }
        self.longest = Some(age);
        Ok(self)
    }

    /// When it is synced to its disk.
    #[must_use]
    pub fn sync(mut self, policy: SyncPolicy) -> Self {
        self.sync = policy;
        self
    }

    /// Where it reports a torn line, and a rotation that fails.
    #[must_use]
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// Where it is, without links.
    #[cfg(feature = "chain")]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(feature = "chain")]
    pub(crate) fn is_regular(&self) -> bool {
        self.is_regular
    }

    /// Whether the next line is the file's first.
    #[cfg(feature = "chain")]
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0 && self.waiting.is_empty()
    }

    /// Where lines are put, with their ends.
    #[cfg(feature = "chain")]
    pub(crate) fn waiting(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// This file, or the one that was kept last, to be read; `None` if nothing was ever written.
    #[cfg(feature = "chain")]
    pub(crate) fn last_with_content(&self) -> io::Result<Option<File>> {
        for path in self.newest_first()? {
            let file = File::open(path)?;
            if file.metadata()?.len() > 0 {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// This file, and what was kept of it before, the newest first.
    fn newest_first(&self) -> io::Result<impl Iterator<Item = PathBuf>> {
        let kept = place::kept(&self.path)?.into_iter().rev();
        Ok(std::iter::once(self.path.clone()).chain(kept.map(|(_, path)| path)))
    }

    /// Takes a line, without its end.
    fn push(&mut self, line: &[u8]) {
        self.waiting.extend_from_slice(line);
        self.waiting.push(b'\n');
    }

    /// Reports what a crash left, and gives the line of the record that says so.
    pub(crate) fn take_torn(&mut self) -> Option<Vec<u8>> {
        let bytes = std::mem::take(&mut self.torn);
        if bytes == 0 {
            return None;
        }
        let detail = format!("a crash left {bytes} bytes of a last line, which were cut off");
        let event = Event::new("audit", Severity::Error, "line_torn", detail.clone());
        report(&self.events, &event);
        let finding = Finding::new("audit", Verdict::Noted, "line_torn", detail);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut line = Vec::new();
        let record = Record::gap(now.unwrap_or_default(), Missing::default(), &[]);
        let findings = [finding];
        let record = Record {
            findings: crate::Findings::of(&findings),
            ..record
        };
        record.write_json(&mut line);
        Some(line)
    }

    fn say_torn(&mut self) {
        if let Some(line) = self.take_torn() {
            self.push(&line);
        }
    }

    /// Writes what waits, as a part of the log that is still there.
    pub(crate) fn put(&mut self, commit: Commit) -> io::Result<()> {
        self.write_out()?;
        self.sync_if(commit)?;
        if self.is_regular {
            still_there(&self.file)?;
        }
        Ok(())
    }

    /// Goes on from where the last attempt came to.
    fn write_out(&mut self) -> io::Result<()> {
        while let Some(rest) = self.waiting.get(self.written..).filter(|r| !r.is_empty()) {
            match self.file.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    self.written += taken;
                    self.bytes += u64::try_from(taken).unwrap_or_default();
                    self.is_unsynced = true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.waiting.clear();
        self.waiting.shrink_to(KEPT_BYTES);
        self.written = 0;
        Ok(())
    }

    fn sync_if(&mut self, commit: Commit) -> io::Result<()> {
        let is_wanted = match self.sync {
            SyncPolicy::Never => false,
            SyncPolicy::WhenAwaited => commit == Commit::Durable,
            SyncPolicy::Always => true,
        };
        if !(is_wanted && self.is_regular && self.is_unsynced) {
            return Ok(());
        }
        // After a failure the system may have thrown away what it could not write, and says so once only.
        if self.sync_failed {
            return Err(sync_failed());
        }
        if let Err(error) = self.file.sync_data() {
            self.sync_failed = true;
            return Err(error);
        }
        self.is_unsynced = false;
        Ok(())
    }

    pub(crate) fn is_due_to_rotate(&self) -> bool {
        if !self.is_regular || self.again.is_some_and(|again| Instant::now() < again) {
            return false;
        }
        self.bytes >= self.most_bytes || self.is_kept || self.is_old()
    }

    fn is_old(&self) -> bool {
        let age = SystemTime::now().duration_since(self.since);
        self.bytes > 0
            && self
                .longest
                .is_some_and(|longest| age.unwrap_or_default() >= longest)
    }

    /// Puts an empty file into its place; `false` if that fails, and the old one goes on.
    pub(crate) fn rotate(&mut self) -> bool {
        match self.rotated() {
            Ok(()) => true,
            Err(error) => {
                self.again = Some(Instant::now() + BETWEEN_ROTATIONS);
                let detail = format!("the file can't be rotated, and grows: {error}");
                let event = Event::new("audit", Severity::Error, "rotation_failed", detail);
                report(&self.events, &event);
                false
            }
        }
    }

    fn rotated(&mut self) -> io::Result<()> {
        if self.sync != SyncPolicy::Never {
            self.sync_if(Commit::Durable)?;
        }
        let (file, synced) = place::succeed(&self.path, &self.file)?;
        self.file = file;
        // Its name may not outlive a crash, and so nothing in it.
        self.sync_failed |= synced.is_err();
        self.bytes = 0;
        self.since = SystemTime::now();
        self.is_kept = false;
        self.is_unsynced = false;
        self.again = None;
        Ok(())
    }

    /// When it gets too old.
    fn next_rotation(&self) -> Option<Instant> {
        let longest = self.longest.filter(|_| self.is_regular && self.bytes > 0)?;
        let age = SystemTime::now().duration_since(self.since);
        let left = longest.saturating_sub(age.unwrap_or_default());
        let at = Instant::now().checked_add(left)?;
        Some(self.again.map_or(at, |again| at.max(again)))
    }
}

impl Outlet for RotatingFile {
    fn take(&mut self, _: &Record<'_>, line: &[u8]) {
        self.say_torn();
        self.push(line);
    }

    fn commit(&mut self, commit: Commit) -> io::Result<()> {
        self.say_torn();
        self.put(commit)?;
        if self.is_due_to_rotate() {
            self.rotate();
        }
        Ok(())
    }

    fn last_sequence(&self) -> u64 {
        if !self.is_regular {
            return 0;
        }
        // What can't be read is as if it were not there: numbers begin anew.
        let numbers = self.newest_first().into_iter().flatten();
        let mut numbers = numbers.filter_map(|path| last_sequence(&mut File::open(path).ok()?));
        numbers.next().unwrap_or_default()
    }

    fn pending(&self) -> usize {
        self.waiting.len().saturating_sub(self.written)
    }

    fn is_durable(&self) -> bool {
        self.is_regular && self.sync != SyncPolicy::Never
    }

    fn due(&self) -> Option<Instant> {
        if self.torn > 0 {
            return Some(Instant::now());
        }
        self.next_rotation()
    }
}

impl fmt::Debug for RotatingFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotatingFile")
            .field("path", &self.path)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
