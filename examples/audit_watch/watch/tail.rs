//! Reads a log on, line by line, while somebody else writes, rotates and cuts it.
//!
//! A line without its end is read anew each time, from its beginning: nothing of it is kept, so that it may go on, or be cut off
//! after a crash and give way to another.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::place::{self, Identity};

/// Longer lines are skipped, and told of: a record has 36 KiB at most.
pub(crate) const MOST_LINE: usize = 64 << 10;

/// Read at once. A line that is not too long fits whole.
const BUFFER: usize = 2 * MOST_LINE;

/// Read in one go, so that a screen is drawn meanwhile.
const MOST_AT_ONCE: usize = 1 << 20;

/// How far back is looked for the last lines.
const MOST_BACK: u64 = 64 << 20;

/// What was seen of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen<'a> {
    /// A whole line, without its end.
    Line(&'a [u8]),
    /// A line of so many bytes.
    TooLong(u64),
    /// So many bytes of a last line that will never end.
    Torn(u64),
    /// There is no such file yet.
    Absent,
    /// The file was rotated, and what follows is of the next one.
    Rotated,
    /// Another file took its place, and this one has no name of a rotated one: there may have been others between.
    Replaced,
    /// The file became shorter than what was read of it. It is read anew.
    Cut,
}

pub(crate) struct Tail {
    path: PathBuf,
    /// Of the first file, if not all of it.
    last: Option<usize>,
    open: Option<Open>,
    is_absent: bool,
    buffer: Vec<u8>,
}

struct Open {
    file: File,
    identity: Identity,
    /// Where the line begins that comes next, or what is left of one that is too long.
    at: u64,
    /// Bytes before that which belong to the same line.
    skipped: u64,
}

impl Tail {
    /// From the beginning, or from so many lines before the end.
    pub(crate) fn new(path: &Path, last: Option<usize>) -> Self {
        Self {
            path: path.to_owned(),
            last,
            open: None,
            is_absent: false,
            buffer: vec![0; BUFFER],
        }
    }

    /// Takes what came since; `true` if there is more at once.
    ///
    /// # Errors
    ///
    /// If the file can't be read. That it is not there is no error.
    pub(crate) fn poll(&mut self, take: &mut impl FnMut(Seen<'_>)) -> io::Result<bool> {
        let Some(mut open) = self.open.take() else {
            self.open = self.first(take)?;
            return Ok(self.open.is_some());
        };
        // Asked before what is read last, so that this is all there ever was.
        let current = identity_of(&self.path)?;
        let is_over = current.is_some_and(|current| current != open.identity);
        if open.is_cut()? {
            take(Seen::Cut);
            (open.at, open.skipped) = (0, 0);
        }
        let is_more = open.read(&mut self.buffer, take)?;
        if is_over && !is_more {
            open.end(take)?;
            return self.succeed(&open, take);
        }
        self.open = Some(open);
        Ok(is_more)
    }

    /// Takes the rest, for which nobody waits: a last line without an end is torn.
    pub(crate) fn end(&mut self, take: &mut impl FnMut(Seen<'_>)) -> io::Result<()> {
        match &mut self.open {
            Some(open) => open.end(take),
            None => Ok(()),
        }
    }

    /// Whether there is no such file yet.
    pub(crate) fn is_absent(&self) -> bool {
        self.open.is_none()
    }

    fn first(&mut self, take: &mut impl FnMut(Seen<'_>)) -> io::Result<Option<Open>> {
        let Some(mut open) = Open::of(&self.path)? else {
            if !std::mem::replace(&mut self.is_absent, true) {
                take(Seen::Absent);
            }
            return Ok(None);
        };
        // One that was waited for is all news.
        if let Some(lines) = self.last.filter(|_| !self.is_absent) {
            open.at = open.back(lines, &mut self.buffer)?;
        }
        Ok(Some(open))
    }

    /// Goes on with the file that came after this one.
    fn succeed(&mut self, old: &Open, take: &mut impl FnMut(Seen<'_>)) -> io::Result<bool> {
        // Opened before it is looked who came between: nobody can any more then.
        let current = Open::of(&self.path)?;
        let (next, seen) = match place::successor(&self.path, &old.identity)? {
            Some(Some(path)) => (Open::of(&path)?, Seen::Rotated),
            Some(None) => (current, Seen::Rotated),
            None => (current, Seen::Replaced),
        };
        take(seen);
        self.open = next;
        self.is_absent = true;
        Ok(self.open.is_some())
    }
}

fn identity_of(path: &Path) -> io::Result<Option<Identity>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Identity::of(&metadata))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Open {
    fn of(path: &Path) -> io::Result<Option<Self>> {
        // Before it is opened, since a pipe would wait for who writes it.
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => {
                return Err(io::Error::other("it is no regular file"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let identity = Identity::of(&file.metadata()?);
        Ok(Some(Self {
            file,
            identity,
            at: 0,
            skipped: 0,
        }))
    }

    fn is_cut(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() < self.at)
    }

    /// Takes whole lines; `true` if it stopped before the end.
    fn read(&mut self, buffer: &mut [u8], take: &mut impl FnMut(Seen<'_>)) -> io::Result<bool> {
        let mut total = 0;
        while total < MOST_AT_ONCE {
            let filled = self.fill(self.at, buffer)?;
            let chunk = buffer.get(..filled).unwrap_or_default();
            let mut rest = chunk;
            while let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
                let (line, after) = rest.split_at(length);
                self.line(line, take);
                rest = after.get(1..).unwrap_or_default();
            }
            if rest.len() > MOST_LINE || (self.skipped > 0 && !rest.is_empty()) {
                self.skipped += bytes(rest.len());
                rest = &[];
            }
            let read = chunk.len() - rest.len();
            self.at += bytes(read);
            total += read;
            if filled < buffer.len() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn line(&mut self, line: &[u8], take: &mut impl FnMut(Seen<'_>)) {
        let skipped = std::mem::take(&mut self.skipped);
        if skipped > 0 || line.len() > MOST_LINE {
            take(Seen::TooLong(skipped + bytes(line.len())));
        } else {
            take(Seen::Line(line));
        }
    }

    fn end(&mut self, take: &mut impl FnMut(Seen<'_>)) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let torn = self.skipped + length.saturating_sub(self.at);
        if torn > 0 {
            take(Seen::Torn(torn));
        }
        (self.at, self.skipped) = (length, 0);
        Ok(())
    }

    /// Where the last so many lines begin.
    fn back(&mut self, lines: usize, buffer: &mut [u8]) -> io::Result<u64> {
        let length = self.file.metadata()?.len();
        let (mut end, mut ends) = (length, 0);
        while end > 0 && length - end < MOST_BACK {
            let begin = end.saturating_sub(bytes(buffer.len()));
            let wanted = usize::try_from(end - begin).unwrap_or(buffer.len());
            let filled = self.fill(begin, buffer.get_mut(..wanted).unwrap_or_default())?;
            let chunk = buffer.get(..filled).unwrap_or_default();
            for (at, _) in chunk.iter().enumerate().rev().filter(|(_, b)| **b == b'\n') {
                if ends == lines {
                    return Ok(begin + bytes(at) + 1);
                }
                ends += 1;
            }
            end = begin;
        }
        Ok(end)
    }

    fn fill(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(at))?;
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
