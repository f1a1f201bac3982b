use std::fmt;

use bytes::Bytes;

use super::{
    Event, Lines,
    lines::{BOM, LinePart},
};

/// Cuts an event stream into whole events, each within a bound.
///
/// Give it each frame with [`push`](Self::push), and take with [`next`](Self::next) what is complete. It
/// holds at most one event that has begun, and copies only what a frame left unfinished. Its `Debug` shows
/// no content.
pub struct EventReader {
    most: usize,
    lines: Lines,
    /// What earlier frames brought of the event that has begun.
    held: Vec<u8>,
    /// What is not read yet.
    frame: Bytes,
    line: Begun,
    /// Whether the event that has begun is the stream's first.
    is_first: bool,
    /// Whether a line of it has ended.
    has_line: bool,
    /// Whether a part of it was given already.
    is_long: bool,
}

/// What a stream is made of. All pieces, put together, are the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "who reads a stream decides of every piece of it"
)]
pub enum Piece {
    /// A whole event, or an empty line between two of them.
    Event(Event),
    /// A comment that stands in no event, with its end: it means nothing and is often sent to keep a
    /// connection alive.
    Comment(Bytes),
    /// A part of an event beyond the bound.
    Part(Part),
    /// A line feed that belongs to the carriage return at the end of the piece before. Where that piece
    /// went, it can go too; where that did not, it is an empty line.
    Feed(Bytes),
}

/// A part of an event beyond the bound, which nobody is to take for one.
///
/// Its `Debug` shows no content.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// As it was sent.
    pub bytes: Bytes,
    /// Whether the event begins with it.
    pub is_first: bool,
    /// Whether the event ends with it.
    pub is_last: bool,
}

impl EventReader {
    /// At the start of a stream. No event may be larger than `most` bytes, its line ends and its empty
    /// line included; only a line feed behind the very last carriage return is not counted, so that it
    /// is the same whether it comes in the same frame.
    pub const fn new(most: usize) -> Self {
        Self {
            most,
            lines: Lines::new(),
            held: Vec::new(),
            frame: Bytes::new(),
            line: Begun::new(),
            is_first: true,
            has_line: false,
            is_long: false,
        }
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.frame.is_empty()
    }

    /// Takes the next frame of the stream.
    pub fn push(&mut self, frame: Bytes) {
        if self.frame.is_empty() {
            self.frame = frame;
        } else {
            self.frame = [&*self.frame, &*frame].concat().into();
        }
    }

    /// The next piece; `None` if more has to come in before there is one.
    #[expect(clippy::should_implement_trait, reason = "it goes on after the last")]
    pub fn next(&mut self) -> Option<Piece> {
        let mut at = 0;
        loop {
            let mut rest = self.frame.get(at..).unwrap_or_default();
            let Some(part) = self.lines.next(&mut rest) else {
                return self.hold();
            };
            at += part.len();
            if part.is_late_feed() {
                if self.is_between() {
                    return Some(Piece::Feed(self.frame.split_to(at)));
                }
                continue;
            }
            self.line.extend(part);
            if !part.ends() {
                continue;
            }
            let line = std::mem::replace(&mut self.line, Begun::new());
            let length = self.held.len() + at - usize::from(part.end() == b"\r\n");
            let fits = length <= self.most;
            if line.is_empty() {
                return Some(self.event(at, fits));
            }
            if line.is_comment() && fits && !self.has_line && !self.is_long {
                self.is_first = false;
                return Some(Piece::Comment(self.take(at)));
            }
            self.has_line = true;
        }
    }

    /// What has begun and never ended, once the stream has: no event, so that readers drop it.
    pub fn rest(&mut self) -> Bytes {
        self.take(self.frame.len())
    }

    /// Whether nothing of an event has come.
    fn is_between(&self) -> bool {
        !self.has_line && !self.is_long
    }

    /// The event that ends there.
    fn event(&mut self, end: usize, fits: bool) -> Piece {
        let bytes = self.take(end);
        let is_first = std::mem::replace(&mut self.is_first, false);
        self.has_line = false;
        let is_long = std::mem::replace(&mut self.is_long, false);
        if fits && !is_long {
            return Piece::Event(Event::new(bytes, is_first));
        }
        Piece::Part(Part {
            bytes,
            is_first: !is_long,
            is_last: true,
        })
    }

    /// Keeps what the frame left unfinished, unless it is too much already.
    fn hold(&mut self) -> Option<Piece> {
        if self.frame.is_empty() {
            return None;
        }
        if !self.is_long && self.held.len() + self.frame.len() <= self.most {
            self.held.extend_from_slice(&self.frame);
            self.frame = Bytes::new();
            return None;
        }
        let is_first = !std::mem::replace(&mut self.is_long, true);
        Some(Piece::Part(Part {
            bytes: self.take(self.frame.len()),
            is_first,
            is_last: false,
        }))
    }

    fn take(&mut self, end: usize) -> Bytes {
        let frame = self.frame.split_to(end);
        if self.held.is_empty() {
            return frame;
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(&frame);
        held.into()
    }
}

/// What tells an empty line and a comment from others: how the line begins.
struct Begun {
    bytes: [u8; BOM.len() + 1],
    length: usize,
    is_first: bool,
}

impl Begun {
    const fn new() -> Self {
        Self {
            bytes: [0; BOM.len() + 1],
            length: 0,
            is_first: false,
        }
    }

    fn extend(&mut self, part: LinePart<'_>) {
        self.is_first = part.is_first();
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(part.text()) {
            *to = *from;
            self.length += 1;
        }
    }

    fn text(&self) -> &[u8] {
        let text = self.bytes.get(..self.length).unwrap_or_default();
        let marked = text.strip_prefix(BOM).filter(|_| self.is_first);
        marked.unwrap_or(text)
    }

    fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    fn is_comment(&self) -> bool {
        self.text().first() == Some(&b':')
    }
}

impl fmt::Debug for EventReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held.len() + self.frame.len();
        f.debug_struct("EventReader")
            .field("most", &self.most)
            .field("held", &held)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("length", &self.bytes.len())
            .field("is_first", &self.is_first)
            .field("is_last", &self.is_last)
            .finish()
    }
}
