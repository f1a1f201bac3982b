use std::mem;

use bartizan_core::sse::{BOM, LinePart, Lines};

use super::{Id, Seen, json::Scanner, worse};

/// Reads server-sent events piece by piece (WHATWG HTML 9.2), and what their data say by a scanner. It keeps
/// none of it.
#[derive(Debug)]
pub(super) struct Events {
    lines: Lines,
    line: Line,
    /// Of the event that has begun.
    scanner: Scanner,
    /// Of those that have ended.
    pub(super) seen: Seen,
}

/// What the line is, as far as it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// So many bytes of a byte order mark.
    Mark(usize),
    /// So many bytes of the field's name; none of an empty line.
    Name(usize),
    /// The colon came last, and a space belongs to it.
    Colon,
    Data,
    Other,
}

const DATA: &[u8] = b"data";

impl Events {
    pub(super) fn new() -> Self {
        Self {
            lines: Lines::new(),
            line: Line::Mark(0),
            scanner: Scanner::new(false),
            seen: None,
        }
    }

    pub(super) fn feed(&mut self, mut frame: &[u8], ours: Id<'_>) {
        while let Some(part) = self.lines.next(&mut frame) {
            if part.is_late_feed() {
                continue;
            }
            self.take(part, ours);
            if part.ends() {
                let line = mem::replace(&mut self.line, Line::Name(0));
                match line {
                    // The event is over: what it says counts now.
                    Line::Name(0) | Line::Mark(0 | 3) => {
                        let mut said = mem::replace(&mut self.scanner, Scanner::new(false));
                        if said.end(ours) {
                            self.seen = worse(self.seen, said.seen);
                        }
                    }
                    // Each line of the data ends with a line feed.
                    Line::Data | Line::Colon => self.scanner.feed(b"\n", ours),
                    _ => {}
                }
            }
        }
    }

    fn take(&mut self, part: LinePart<'_>, ours: Id<'_>) {
        let mut text = part.text();
        while let Some((&byte, rest)) = text.split_first() {
            let next = match self.line {
                Line::Data => return self.scanner.feed(text, ours),
                Line::Other => return,
                Line::Mark(seen) if BOM.get(seen) == Some(&byte) => Line::Mark(seen + 1),
                Line::Mark(0 | 3) | Line::Name(0) if byte == b'd' => Line::Name(1),
                Line::Name(seen) if DATA.get(seen) == Some(&byte) => Line::Name(seen + 1),
                Line::Name(4) if byte == b':' => Line::Colon,
                Line::Colon => {
                    self.line = Line::Data;
                    if byte != b' ' {
                        continue;
                    }
                    Line::Data
                }
                Line::Mark(_) | Line::Name(_) => Line::Other,
            };
            self.line = next;
            text = rest;
        }
    }
}
