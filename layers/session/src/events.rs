use std::fmt;

use bartizan_core::sse::{BOM, Field, LinePart, Lines};
use bytes::Bytes;

use crate::{
    SessionKeys,
    binding::{Binding, Purpose},
};

/// Wraps the ids of a session's event stream as it passes, line by line.
///
/// Only lines that give an event its id are touched, and only the beginning of a line that may be
/// one is held back until it is whole. Everything else passes as the bytes it came in.
pub(crate) struct EventIds {
    keys: SessionKeys,
    binding: Binding,
    session: Vec<u8>,
    lines: Lines,
    line: Line,
}

/// Where in a line the last frame ended.
enum Line {
    /// In what may be an id, which is held back.
    Held(Vec<u8>),
    /// In another field.
    Passing,
    /// In an id that is too long, of which a comment is left.
    Dropping,
}

const FIELD: &[u8] = b"id:";
/// A line that readers skip.
const COMMENT: &[u8] = b":";
/// The longest line that is held back.
const MAX_LINE: usize = BOM.len() + FIELD.len() + 1 + SessionKeys::MAX_ID_BYTES;

impl EventIds {
    pub(crate) fn new(keys: SessionKeys, binding: Binding, session: Vec<u8>) -> Self {
        Self {
            keys,
            binding,
            session,
            lines: Lines::new(),
            line: Line::Held(Vec::new()),
        }
    }

    /// What goes on of the next bytes.
    pub(crate) fn pass(&mut self, chunk: Bytes) -> Bytes {
        let mut out = Out {
            chunk: &chunk,
            done: 0,
            changed: None,
        };
        let mut rest: &[u8] = &chunk;
        loop {
            let at = chunk.len() - rest.len();
            let Some(part) = self.lines.next(&mut rest) else {
                break;
            };
            let line = std::mem::replace(&mut self.line, Line::Passing);
            self.line = match line {
                Line::Passing => Line::Passing,
                Line::Dropping => {
                    out.replace(at, part.text().len(), b"");
                    Line::Dropping
                }
                Line::Held(held) => self.held(held, part, at, &mut out),
            };
            if part.ends() {
                self.line = Line::Held(Vec::new());
            }
        }
        out.finish().map_or_else(|| chunk.clone(), Bytes::from)
    }

    /// The next piece of a line that may be an id so far.
    fn held(&self, mut held: Vec<u8>, part: LinePart<'_>, at: usize, out: &mut Out<'_>) -> Line {
        let (earlier, text) = (held.len(), part.text());
        // No more than what tells them apart is copied of other lines.
        let judged = text.get(..text.len().min(MAX_LINE + 1)).unwrap_or_default();
        if earlier == 0 && !may_be_id(judged, part.is_first()) {
            return Line::Passing;
        }
        held.extend_from_slice(judged);
        if !may_be_id(&held, part.is_first()) {
            if let Some(before) = held.get(..earlier) {
                out.insert(at, before);
            }
            return Line::Passing;
        }
        if held.len() > MAX_LINE {
            out.replace(at, text.len(), COMMENT);
            return Line::Dropping;
        }
        if part.ends() {
            out.replace(at, text.len(), &self.rewritten(&held, part.is_first()));
            return Line::Passing;
        }
        out.replace(at, text.len(), b"");
        Line::Held(held)
    }

    fn rewritten(&self, line: &[u8], is_first: bool) -> Vec<u8> {
        let marked = line.strip_prefix(BOM).filter(|_| is_first);
        let (mark, text) = marked.map_or((&b""[..], line), |text| (BOM, text));
        let id = Field::of(text).map(|field| field.value);
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            // The stream has no last event from here on.
            return line.to_vec();
        };
        let session = &self.session;
        let purpose = Purpose::Event { session };
        // Readers ignore an id with a null; then nothing is lost with it.
        let wrapped = (!id.contains(&0)).then(|| self.keys.seal(&self.binding, purpose, id));
        match wrapped.flatten() {
            Some(wrapped) => [mark, b"id: ", wrapped.as_bytes()].concat(),
            None => [mark, COMMENT].concat(),
        }
    }
}

/// Whether a line that begins so can be an id.
fn may_be_id(line: &[u8], is_first: bool) -> bool {
    if is_first && BOM.starts_with(line.get(..BOM.len()).unwrap_or(line)) {
        return line.len() <= BOM.len() || is_id(line.get(BOM.len()..).unwrap_or_default());
    }
    is_id(line)
}

/// Whether a line is the field `id`, or the beginning of it.
fn is_id(line: &[u8]) -> bool {
    line.starts_with(FIELD) || FIELD.starts_with(line)
}

/// What goes on: the chunk itself until something in it changes.
struct Out<'c> {
    chunk: &'c [u8],
    /// How much of the chunk is accounted for in `changed`.
    done: usize,
    changed: Option<Vec<u8>>,
}

impl Out<'_> {
    fn insert(&mut self, at: usize, bytes: &[u8]) {
        self.replace(at, 0, bytes);
    }

    fn replace(&mut self, at: usize, length: usize, by: &[u8]) {
        if length == 0 && by.is_empty() {
            return;
        }
        let room = self.chunk.len() + by.len();
        let changed = self.changed.get_or_insert_with(|| Vec::with_capacity(room));
        changed.extend_from_slice(self.chunk.get(self.done..at).unwrap_or_default());
        changed.extend_from_slice(by);
        self.done = at + length;
    }

    fn finish(self) -> Option<Vec<u8>> {
        let mut changed = self.changed?;
        changed.extend_from_slice(self.chunk.get(self.done..).unwrap_or_default());
        Some(changed)
    }
}

impl fmt::Debug for EventIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventIds").finish_non_exhaustive()
    }
}
