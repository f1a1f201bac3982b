//! JSON of visible ASCII, within a bound that holds whatever is written.

/// There is no room left.
#[derive(Debug)]
pub(crate) struct Full;

/// `…` as a JSON string: for what was cut.
pub(crate) const MARK: &[u8] = b"\"\\u2026\"";

/// Room that is kept for the end of a string, and for a mark as a member with its comma.
pub(crate) const KEPT: usize = 7 + 2 + 2 * MARK.len();

pub(crate) struct Output<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    /// Where it must end.
    limit: usize,
    /// What is open, innermost last: whether it is an object.
    open: Vec<bool>,
    /// Whether something stands in the innermost already.
    is_begun: bool,
    /// Whether a name stands there without its value.
    is_named: bool,
}

impl<'o> Output<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>, most: usize) -> Self {
        let start = out.len();
        let limit = start + most;
        Self {
            out,
            start,
            limit,
            open: Vec::new(),
            is_begun: false,
            is_named: false,
        }
    }

    /// How much may be written before what is open must be closed.
    pub(crate) fn room(&self) -> usize {
        let kept = self.out.len() + self.open.len() + KEPT;
        self.limit.saturating_sub(kept)
    }

    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    fn take(&self, bytes: usize) -> Result<(), Full> {
        if self.room() >= bytes {
            Ok(())
        } else {
            Err(Full)
        }
    }

    /// A comma, if one belongs here.
    fn separate(&mut self) {
        if self.is_begun && !self.is_named {
            self.out.push(b',');
        }
        (self.is_begun, self.is_named) = (true, false);
    }

    pub(crate) fn open(&mut self, is_object: bool) -> Result<(), Full> {
        self.take(3)?;
        self.separate();
        self.out.push(if is_object { b'{' } else { b'[' });
        self.open.push(is_object);
        self.is_begun = false;
        Ok(())
    }

    pub(crate) fn close(&mut self) {
        if let Some(is_object) = self.open.pop() {
            self.out.push(if is_object { b'}' } else { b']' });
        }
        (self.is_begun, self.is_named) = (true, false);
    }

    /// What is JSON already, and visible ASCII.
    pub(crate) fn raw(&mut self, json: &[u8]) -> Result<(), Full> {
        self.take(json.len() + 1)?;
        self.separate();
        self.out.extend_from_slice(json);
        Ok(())
    }

    /// What is too deep.
    pub(crate) fn mark(&mut self) -> Result<(), Full> {
        self.raw(MARK)
    }

    pub(crate) fn begin_text(&mut self) -> Result<(), Full> {
        self.take(3)?;
        self.separate();
        self.out.push(b'"');
        Ok(())
    }

    /// A part of a text; one that does not fit is cut and the text ended.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Full> {
        let mut rest = text;
        while !rest.is_empty() {
            let plain = plain_len(rest.as_bytes());
            let (head, tail) = rest.split_at_checked(plain).unwrap_or((rest, ""));
            let room = self.room().saturating_sub(2);
            self.out
                .extend_from_slice(head.as_bytes().get(..room).unwrap_or(head.as_bytes()));
            if head.len() > room {
                return Err(self.cut());
            }
            let mut chars = tail.chars();
            if let Some(c) = chars.next() {
                if self.room() < 14 {
                    return Err(self.cut());
                }
                push_escaped(self.out, c);
            }
            rest = chars.as_str();
        }
        Ok(())
    }

    fn cut(&mut self) -> Full {
        self.out.extend_from_slice(b"\\u2026\"");
        Full
    }

    pub(crate) fn end_text(&mut self) {
        self.out.push(b'"');
    }

    /// What was written last was a member's name.
    pub(crate) fn name_ends(&mut self) {
        self.out.extend_from_slice(b"\":");
        self.is_named = true;
    }

    /// A name that was cut has no value yet.
    pub(crate) fn name_was_cut(&mut self) {
        self.out.push(b':');
        self.is_named = true;
    }

    /// Takes back all that was written.
    pub(crate) fn clear(&mut self) {
        self.out.truncate(self.start);
        self.open.clear();
        (self.is_begun, self.is_named) = (false, false);
    }

    /// Marks that something is missing, and closes what is open.
    pub(crate) fn finish_cut(&mut self, is_marked: bool) {
        if self.is_named {
            self.out.extend_from_slice(MARK);
        } else if is_marked || self.out.len() == self.start {
            if self.is_begun && !self.open.is_empty() {
                self.out.push(b',');
            }
            self.out.extend_from_slice(MARK);
            if self.open.last() == Some(&true) {
                self.out.push(b':');
                self.out.extend_from_slice(MARK);
            }
        }
        while !self.open.is_empty() {
            self.close();
        }
    }
}

/// How many bytes stand in JSON as they are, from the beginning on: sixteen at a time.
fn plain_len(text: &[u8]) -> usize {
    let (chunks, _) = text.as_chunks::<16>();
    let all_plain = |chunk: &&[u8; 16]| chunk.iter().fold(true, |all, b| all & is_plain(*b));
    let whole = chunks.iter().take_while(all_plain).count() * 16;
    let rest = text.get(whole..).unwrap_or_default();
    whole + rest.iter().take_while(|b| is_plain(**b)).count()
}

#[inline]
fn is_plain(b: u8) -> bool {
    (b' '..=b'~').contains(&b) & (b != b'"') & (b != b'\\')
}

fn push_escaped(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        ' '..='~' => out.push(c as u8),
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let digit = |shift: u32| {
                    let digit = (*unit >> shift & 0xf) as u8;
                    if digit < 10 {
                        b'0' + digit
                    } else {
                        b'a' + digit - 10
                    }
                };
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
        }
    }
}
