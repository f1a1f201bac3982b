use std::fmt;

use memchr::memchr2;

use super::{
    json::Broken,
    lens::Lens,
    names::{LONGEST, names_list},
};

/// Reads an event stream line by line (HTML, "Server-sent events", 9.2.5 and 9.2.6), and writes it
/// again event by event, as one principal sees it.
///
/// An event is held until its end; comments between events are not. What stands after the last
/// event's end is no event, and goes nowhere.
///
/// In the answer to a request that is for no list, an event that names none passes unread, and one
/// that is too large to be held passes as long as it names none.
pub(super) struct Events {
    lens: Lens,
    /// The event that has begun.
    held: Vec<u8>,
    /// Where its last line begins.
    line: usize,
    /// Whether the last byte was a carriage return, so that a line feed belongs to it.
    after_return: bool,
    /// Whether no line has ended yet: the first one may begin with a byte order mark.
    is_first: bool,
    /// Whether the event is too large to be held: what is held are its last bytes, written already.
    is_passing: bool,
}

/// Most bytes of memory that are kept from one event to the next.
const KEPT: usize = 64 << 10;

const TOO_LARGE: Broken = Broken("is an event that is too large");
const MARK: &[u8] = b"\xef\xbb\xbf";

impl Events {
    pub(super) fn new(lens: Lens) -> Self {
        Self {
            lens,
            held: Vec::new(),
            line: 0,
            after_return: false,
            is_first: true,
            is_passing: false,
        }
    }

    /// Whether part of an event was written that has not ended.
    pub(super) fn is_passing(&self) -> bool {
        self.is_passing
    }

    pub(super) fn lens(&self) -> &Lens {
        &self.lens
    }

    /// Takes more of the stream, and writes what of it is complete. After an error, what was written
    /// is still good, and nothing may follow.
    pub(super) fn take(&mut self, mut more: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
        if more.is_empty() {
            return Ok(());
        }
        let after_return = std::mem::take(&mut self.after_return);
        if let Some(rest) = more.strip_prefix(b"\n").filter(|_| after_return) {
            // It belongs to what was written last, or to the last line of what is held.
            let ended = if self.held.is_empty() {
                &mut *out
            } else {
                &mut self.held
            };
            ended.push(b'\n');
            if self.is_passing {
                out.push(b'\n');
            }
            self.line = self.held.len();
            more = rest;
        }
        while let Some(at) = memchr2(b'\n', b'\r', more) {
            let is_return = more.get(at) == Some(&b'\r');
            let has_feed = is_return && more.get(at + 1) == Some(&b'\n');
            let end = at + 1 + usize::from(has_feed);
            let (line, rest) = more.split_at(end);
            self.hold(line, out)?;
            self.after_return = is_return && rest.is_empty() && !has_feed;
            self.end_line(out)?;
            more = rest;
        }
        self.hold(more, out)
    }

    fn hold(&mut self, more: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
        let is_large = self.held.len() + more.len() > self.lens.rules().most_bytes;
        if self.is_passing || (is_large && self.lens.is_of_other()) {
            return self.pass(more, out);
        }
        if is_large {
            return Err(TOO_LARGE);
        }
        self.held.extend_from_slice(more);
        Ok(())
    }

    /// Writes more of an event that is too large to be held.
    fn pass(&mut self, more: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
        let written = if self.is_passing { self.held.len() } else { 0 };
        self.held.extend_from_slice(more);
        if names_list(&self.held) {
            return Err(TOO_LARGE);
        }
        out.extend_from_slice(self.held.get(written..).unwrap_or_default());
        self.is_passing = true;
        // A name may have begun in the last ones.
        let gone = self.held.len().saturating_sub(LONGEST);
        self.held.drain(..gone);
        self.line = self.line.saturating_sub(gone);
        Ok(())
    }

    fn end_line(&mut self, out: &mut Vec<u8>) -> Result<(), Broken> {
        let line = self.held.get(self.line..).unwrap_or_default();
        let is_begin = self.line == 0 && !self.is_passing;
        let is_very_first = self.is_first && is_begin;
        let line = if is_very_first { unmarked(line) } else { line };
        let is_blank = matches!(line.first(), Some(b'\n' | b'\r'));
        let is_comment = line.first() == Some(&b':') && is_begin;
        if is_blank {
            let marked = std::mem::replace(&mut self.is_first, false);
            self.event(marked, out)?;
        } else if is_comment {
            self.is_first = false;
            out.extend_from_slice(&self.held);
        } else {
            self.line = self.held.len();
            return Ok(());
        }
        self.held.clear();
        self.held.shrink_to(KEPT);
        self.line = 0;
        self.is_passing = false;
        Ok(())
    }

    /// Writes the event that is held.
    fn event(&self, is_first: bool, out: &mut Vec<u8>) -> Result<(), Broken> {
        if self.is_passing {
            return Ok(());
        }
        // As it was written: no name goes over the end of a line.
        if self.lens.is_of_other() && !names_list(&self.held) {
            out.extend_from_slice(&self.held);
            return Ok(());
        }
        let data = Data::of(&self.held, is_first);
        if data.joined().trim_ascii().is_empty() {
            out.extend_from_slice(&self.held);
            return Ok(());
        }
        match self.lens.see(data.joined())? {
            None => out.extend_from_slice(&self.held),
            Some(message) => rewrite(&self.held, is_first, &message, out),
        }
        Ok(())
    }
}

/// What the `data` lines of an event say.
enum Data<'a> {
    One(&'a [u8]),
    Several(Vec<u8>),
}

impl<'a> Data<'a> {
    fn of(event: &'a [u8], is_first: bool) -> Self {
        let mut all = Self::One(b"");
        let values = lines(event, is_first).filter_map(|line| line.data());
        for (index, value) in values.enumerate() {
            all = match all {
                Self::One(_) if index == 0 => Self::One(value),
                Self::One(first) => Self::Several([first, b"\n", value].concat()),
                Self::Several(mut joined) => {
                    joined.push(b'\n');
                    joined.extend_from_slice(value);
                    Self::Several(joined)
                }
            };
        }
        all
    }

    fn joined(&self) -> &[u8] {
        match self {
            Self::One(value) => value,
            Self::Several(joined) => joined,
        }
    }
}

/// Puts the message into the place of the first `data` line; all else stays.
fn rewrite(event: &[u8], is_first: bool, message: &[u8], out: &mut Vec<u8>) {
    let mut is_written = false;
    for line in lines(event, is_first) {
        if line.data().is_none() {
            // The line that stood between is gone, and a feed would belong to the return.
            if out.last() == Some(&b'\r') && line.whole.first() == Some(&b'\n') {
                out.push(b'\n');
            }
            out.extend_from_slice(line.whole);
        } else if !std::mem::replace(&mut is_written, true) {
            if line.is_marked {
                out.extend_from_slice(MARK);
            }
            for piece in message.split(|byte| *byte == b'\n') {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(piece);
                out.extend_from_slice(line.end());
            }
        }
    }
}

struct Line<'a> {
    whole: &'a [u8],
    is_marked: bool,
}

/// The lines of an event, which has its end.
fn lines(mut event: &[u8], is_first: bool) -> impl Iterator<Item = Line<'_>> {
    let mut may_be_marked = is_first;
    std::iter::from_fn(move || {
        let at = memchr2(b'\n', b'\r', event)?;
        let has_feed = event.get(at..at + 2) == Some(b"\r\n");
        let (whole, rest) = event.split_at(at + 1 + usize::from(has_feed));
        event = rest;
        let is_marked = std::mem::take(&mut may_be_marked) && whole.starts_with(MARK);
        Some(Line { whole, is_marked })
    })
}

impl<'a> Line<'a> {
    fn end(&self) -> &'a [u8] {
        let end = self.whole.len() - self.text().len() - self.mark();
        self.whole.get(self.whole.len() - end..).unwrap_or_default()
    }

    fn mark(&self) -> usize {
        if self.is_marked { MARK.len() } else { 0 }
    }

    /// Without its end, and without a byte order mark.
    fn text(&self) -> &'a [u8] {
        let text = self.whole.get(self.mark()..).unwrap_or_default();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        text.strip_suffix(b"\r").unwrap_or(text)
    }

    /// The value, if the line's field is `data`.
    fn data(&self) -> Option<&'a [u8]> {
        match self.text().strip_prefix(b"data")? {
            [] => Some(b""),
            [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
            _ => None,
        }
    }
}

fn unmarked(line: &[u8]) -> &[u8] {
    line.strip_prefix(MARK).unwrap_or(line)
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
