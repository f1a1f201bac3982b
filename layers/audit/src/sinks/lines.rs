use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Write},
};

use super::append::still_there;
use crate::{Commit, Outlet, Record};

/// Writes each record's line to a writer: the outlet of [`JsonLines`](crate::JsonLines), to stand beside
/// others behind one queue. Made by [`JsonLines::outlet`](crate::JsonLines::outlet).
pub struct Lines<W> {
    writer: W,
    /// The same file, if it is one that can be synced.
    file: Option<File>,
    sync_failed: bool,
    waiting: Vec<u8>,
    /// So many bytes of it are written.
    written: usize,
    /// Of the last record from before.
    sequence: u64,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(writer: W, file: Option<File>, sequence: u64) -> Self {
        Self {
            writer,
            file,
            sync_failed: false,
            waiting: Vec::new(),
            written: 0,
            sequence,
        }
    }
}

impl<W> Lines<W> {
    fn sync(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        // After a failure the system may have thrown away what it could not write, and says so once only.
        if self.sync_failed {
            return Err(sync_failed());
        }
        let synced = file.sync_data();
        self.sync_failed = synced.is_err();
        synced?;
        still_there(file)
    }
}

/// Why nothing is durable any more.
pub(crate) fn sync_failed() -> io::Error {
    io::Error::other("a sync failed: what was written before it may be lost, open the file again")
}

/// What an empty buffer keeps.
const KEPT_BYTES: usize = 256 << 10;

impl<W: Write + Send + 'static> Outlet for Lines<W> {
    fn take(&mut self, _: &Record<'_>, line: &[u8]) {
        self.waiting.extend_from_slice(line);
        self.waiting.push(b'\n');
    }

    /// Writes on from where the last attempt came to.
    fn commit(&mut self, commit: Commit) -> io::Result<()> {
        while let Some(rest) = self.waiting.get(self.written..).filter(|r| !r.is_empty()) {
            match self.writer.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(taken) => self.written += taken,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.writer.flush()?;
        if commit == Commit::Durable {
            self.sync()?;
        }
        self.waiting.clear();
        self.waiting.shrink_to(KEPT_BYTES);
        self.written = 0;
        Ok(())
    }

    fn last_sequence(&self) -> u64 {
        self.sequence
    }

    fn pending(&self) -> usize {
        self.waiting.len().saturating_sub(self.written)
    }

    fn is_durable(&self) -> bool {
        self.file.is_some()
    }
}

impl<W> fmt::Debug for Lines<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn after_a_sync_that_failed_nothing_is_durable_though_the_next_one_would_do() {
        // It can't be synced.
        let device = File::open("/dev/null").unwrap();
        let mut lines = Lines::new(io::sink(), Some(device), 0);
        lines.commit(Commit::Durable).unwrap_err();
        lines.file = Some(tempfile::tempfile().unwrap());
        lines.commit(Commit::Durable).unwrap_err();
        lines.commit(Commit::Written).unwrap();
    }
}
