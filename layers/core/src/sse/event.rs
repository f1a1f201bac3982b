use std::{borrow::Cow, fmt};

use bytes::Bytes;

use super::{
    Field, Lines,
    lines::{BOM, LinePart},
};

/// A whole event as it was sent, the empty line at its end included.
///
/// Its `Debug` shows no content.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    bytes: Bytes,
    /// Whether the stream begins with it.
    is_first: bool,
}

/// A line of an event.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    whole: &'a [u8],
    mark: &'a [u8],
    text: &'a [u8],
    end: &'a [u8],
}

const DATA: &[u8] = b"data";

impl Event {
    pub(super) fn new(bytes: Bytes, is_first: bool) -> Self {
        Self { bytes, is_first }
    }

    /// As it was sent.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// As it was sent.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Its lines, comments and the empty one at the end included.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut lines = Lines::new();
        let mut rest: &[u8] = &self.bytes;
        std::iter::from_fn(move || {
            let before = rest;
            let part = lines.next(&mut rest)?;
            let whole = before.get(..part.len()).unwrap_or_default();
            Some(Line::new(whole, part, self.is_first && part.is_first()))
        })
    }

    /// Its fields, in their order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.lines().filter_map(|line| line.field())
    }

    /// What it says: the values of its `data` fields, with a line feed between them. `None` if it
    /// has none, so that readers would not hear of it.
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        let mut values = self.lines().filter_map(|line| line.data());
        let mut data = Cow::Borrowed(values.next()?);
        for value in values {
            let data = data.to_mut();
            data.push(b'\n');
            data.extend_from_slice(value);
        }
        Some(data)
    }

    /// The same event with other data in the place of its first `data` field; all else stays byte for
    /// byte.
    ///
    /// Each line of the data becomes a field, whatever ends it. An event that has no data gets some
    /// before its end.
    pub fn with_data(&self, data: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(self.bytes.len() + data.len());
        let mut is_written = false;
        for line in self.lines() {
            let is_data = line.data().is_some();
            let is_place =
                (is_data || line.is_empty()) && !std::mem::replace(&mut is_written, true);
            if is_place {
                out.extend_from_slice(line.mark);
                write(&mut out, data, line.end);
            }
            if is_data {
                continue;
            }
            let rest = if is_place { line.end } else { line.whole };
            // The line that stood between is gone, and a feed would belong to the return.
            if out.last() == Some(&b'\r') && rest.first() == Some(&b'\n') {
                out.push(b'\n');
            }
            out.extend_from_slice(rest);
        }
        out.into()
    }
}

/// Writes data as fields, each with this end.
fn write(out: &mut Vec<u8>, data: &[u8], end: &[u8]) {
    let (mut lines, mut rest) = (Lines::new(), data);
    let mut is_open = true;
    while is_open {
        let part = lines.next(&mut rest);
        is_open = part.is_some_and(|part| part.ends());
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(part.map(|part| part.text()).unwrap_or_default());
        out.extend_from_slice(end);
    }
}

impl<'a> Line<'a> {
    fn new(whole: &'a [u8], part: LinePart<'a>, may_be_marked: bool) -> Self {
        let text = part.text();
        let marked = text.strip_prefix(BOM).filter(|_| may_be_marked);
        let (mark, text) = marked.map_or((&b""[..], text), |text| (BOM, text));
        Self {
            whole,
            mark,
            text,
            end: part.end(),
        }
    }

    /// As it was sent, with its end, and with the byte order mark if one stands before it.
    pub fn whole(&self) -> &'a [u8] {
        self.whole
    }

    /// What it says.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Whether it says nothing, and ends the event.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Its field; `None` of an empty line and of a comment.
    pub fn field(&self) -> Option<Field<'a>> {
        Field::of(self.text)
    }

    /// The value, if its field is `data`. Most lines are told without a look for their colon.
    fn data(&self) -> Option<&'a [u8]> {
        self.text.strip_prefix(DATA)?;
        let field = self.field()?;
        (field.name == DATA).then_some(field.value)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.bytes.len();
        f.debug_struct("Event")
            .field("length", &length)
            .finish_non_exhaustive()
    }
}
