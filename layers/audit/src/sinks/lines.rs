use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Write},
};

use crate::{Commit, Outlet, Record};

/// Writes each record's line to a writer: the outlet of [`JsonLines`](crate::JsonLines), to stand beside
/// others behind one queue. Made by [`JsonLines::outlet`](crate::JsonLines::outlet).
pub struct Lines<W> {
    writer: W,
    /// The same file, if it is one that can be synced.
    file: Option<File>,
    waiting: Vec<u8>,
    /// So many bytes of it are written.
    written: usize,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(writer: W, file: Option<File>) -> Self {
        Self {
            writer,
            file,
            waiting: Vec::new(),
            written: 0,
        }
    }
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
        if let (Commit::Durable, Some(file)) = (commit, &self.file) {
            file.sync_data()?;
        }
        self.waiting.clear();
        self.waiting.shrink_to(KEPT_BYTES);
        self.written = 0;
        Ok(())
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
