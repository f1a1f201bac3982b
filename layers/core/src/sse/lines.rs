use memchr::memchr2;

/// The byte order mark of UTF-8. One that begins a stream belongs to no line (HTML 9.2.6, by "UTF-8
/// decode"); one that stands elsewhere is text.
pub const BOM: &[u8] = b"\xef\xbb\xbf";

/// Finds where the lines of an event stream end (HTML 9.2.5), whatever frames it comes in.
#[derive(Debug, Clone)]
pub struct Lines {
    /// Whether no line has ended yet.
    is_first: bool,
    /// Whether a carriage return came last, to which a line feed would belong.
    after_return: bool,
}

/// As much of a line as there is in one frame, or the rest of its end.
#[derive(Debug, Clone, Copy)]
pub struct LinePart<'a> {
    text: &'a [u8],
    end: &'a [u8],
    is_first: bool,
    is_late_feed: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self::new()
    }
}

impl Lines {
    /// At the start of a stream.
    pub const fn new() -> Self {
        Self {
            is_first: true,
            after_return: false,
        }
    }

    /// Takes the next part of a line off the front of a frame; `None` at the frame's end.
    ///
    /// A carriage return ends its line at once, also where a frame ends. A line feed that follows in
    /// the next frame is a part of its own: a [late feed](LinePart::is_late_feed).
    pub fn next<'a>(&mut self, frame: &mut &'a [u8]) -> Option<LinePart<'a>> {
        let bytes: &'a [u8] = frame;
        let is_late_feed = bytes.first()? == &b'\n' && self.after_return;
        let length = memchr2(b'\n', b'\r', bytes);
        let (text, rest) = bytes.split_at(length.unwrap_or(bytes.len()));
        let end = match rest {
            [] => 0,
            [b'\r', b'\n', ..] => 2,
            _ => 1,
        };
        let (end, rest) = rest.split_at(end);
        *frame = rest;
        self.after_return = end == b"\r";
        let is_first = self.is_first;
        self.is_first &= end.is_empty();
        Some(LinePart {
            text,
            end,
            is_first,
            is_late_feed,
        })
    }
}

impl<'a> LinePart<'a> {
    /// What it says of the line, without its end.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Whether the line ends here.
    pub fn ends(&self) -> bool {
        !self.end.is_empty()
    }

    /// How the line ends here: not at all, with a line feed, a carriage return, or both.
    pub fn end(&self) -> &'a [u8] {
        self.end
    }

    /// Whether it is of the stream's first line, which a byte order mark may stand before.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// Whether it is no line, and only the line feed behind a carriage return that ended the frame
    /// before.
    pub fn is_late_feed(&self) -> bool {
        self.is_late_feed
    }

    /// How many bytes it is.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.text.len() + self.end.len()
    }
}

/// A field of an event: `data`, `event`, `id`, `retry`, or one that readers ignore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field<'a> {
    /// What stands before the first colon, or all of a line that has none. Case counts.
    pub name: &'a [u8],
    /// What stands behind it, without one leading space; empty if the line has no colon.
    pub value: &'a [u8],
}

impl<'a> Field<'a> {
    /// The field of a line, which is without its end and without a byte order mark; `None` of an empty
    /// line and of a comment.
    pub fn of(line: &'a [u8]) -> Option<Self> {
        let colon = memchr::memchr(b':', line);
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        (!name.is_empty()).then_some(Self { name, value })
    }
}
