use jiter::{Jiter, JiterError};

/// Reads the tokens of JSON text (RFC 8259) one by one.
///
/// What nearly all of a message is made of is read here: white space, short strings without
/// escapes, short integers. Whatever else begins is the parser's business, from its first byte on, so that
/// there is one reading of escapes, surrogates, fractions, and of all that is broken.
pub(super) struct Tokens<'j> {
    text: &'j str,
    at: usize,
    unescaped: Vec<u8>,
}

/// The text is no JSON.
pub(super) struct Broken;

impl From<JiterError> for Broken {
    fn from(_: JiterError) -> Self {
        Self
    }
}

/// Most digits of an integer that is read here.
const SHORT: usize = 18;

/// Most bytes of a string that is read here; beyond, the parser is faster.
const NEAR: usize = 64;

impl<'j> Tokens<'j> {
    pub(super) fn of(text: &'j str) -> Self {
        Self {
            text,
            at: 0,
            unescaped: Vec::new(),
        }
    }

    /// Where the next token begins, once it was [peeked](Self::peek) at, or where the last ended.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The first byte of the next token; `None` at the end.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.text.as_bytes().get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes a token of one byte, which was peeked at.
    #[inline]
    pub(super) fn punctuation(&mut self) {
        self.at += 1;
    }

    /// Takes `true`, `false` or `null`.
    #[inline]
    pub(super) fn literal(&mut self, name: &str) -> Result<(), Broken> {
        let is_it = self.rest().starts_with(name.as_bytes());
        self.at += name.len();
        if is_it { Ok(()) } else { Err(Broken) }
    }

    /// Takes a string, and hands what it says, unescaped, to `read`.
    #[inline]
    pub(super) fn string<T>(&mut self, read: impl FnOnce(&str) -> T) -> Result<T, Broken> {
        match self.plain_string() {
            Some(plain) => Ok(read(plain)),
            None => self.escaped_string(read),
        }
    }

    /// Takes a string, whatever it says.
    #[inline]
    pub(super) fn skip_string(&mut self) -> Result<(), Broken> {
        match self.plain_string() {
            Some(_) => Ok(()),
            None => self.skip_escaped_string(),
        }
    }

    /// Takes a number: what begins with a byte that begins nothing else.
    #[inline]
    pub(super) fn skip_number(&mut self) -> Result<(), Broken> {
        let rest = self.rest();
        let unsigned = rest.strip_prefix(b"-").unwrap_or(rest);
        let is_digit = |byte: &&u8| byte.is_ascii_digit();
        let digits = unsigned.iter().take(SHORT).take_while(is_digit).count();
        let goes_on = |byte: &u8| matches!(byte, b'.' | b'e' | b'E' | b'0'..=b'9');
        let starts_with_zero = digits > 1 && unsigned.first() == Some(&b'0');
        if digits == 0 || starts_with_zero || unsigned.get(digits).is_some_and(goes_on) {
            return self.skip_long_number();
        }
        self.at += rest.len() - unsigned.len() + digits;
        Ok(())
    }

    /// Takes a string in which nothing is escaped; otherwise stays where it is.
    #[inline]
    fn plain_string(&mut self) -> Option<&'j str> {
        let start = self.at + 1;
        let end = plain_end(self.text.as_bytes(), start)?;
        self.at = end + 1;
        self.text.get(start..end)
    }

    #[inline(never)]
    fn escaped_string<T>(&mut self, read: impl FnOnce(&str) -> T) -> Result<T, Broken> {
        let mut parser = Jiter::with_tape(self.rest(), std::mem::take(&mut self.unescaped));
        let value = read(parser.next_str()?);
        self.at += parser.current_index();
        self.unescaped = parser.into_tape();
        Ok(value)
    }

    #[inline(never)]
    fn skip_escaped_string(&mut self) -> Result<(), Broken> {
        let mut parser = Jiter::new(self.rest());
        parser.next_bytes()?;
        self.at += parser.current_index();
        Ok(())
    }

    #[inline(never)]
    fn skip_long_number(&mut self) -> Result<(), Broken> {
        let mut parser = Jiter::new(self.rest());
        parser.next_number_bytes()?;
        self.at += parser.current_index();
        Ok(())
    }

    #[inline]
    fn rest(&self) -> &'j [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

/// Where the string that began at `start` ends, if it is short and nothing in it is escaped.
#[inline]
fn plain_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            let end = at + special.trailing_zeros() as usize / 8;
            return (bytes.get(end) == Some(&b'"')).then_some(end);
        }
        at += 8;
        if at - start > NEAR {
            return None;
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    let end = at + bytes.get(at..)?.iter().position(is_special)?;
    (bytes.get(end) == Some(&b'"')).then_some(end)
}

/// The highest bit of each of eight bytes that means something in a string; bits above the lowest of
/// these may be wrong.
#[inline]
fn special(word: u64) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let below = |word: u64, least: u8| word.wrapping_sub(EACH * u64::from(least)) & !word;
    let is = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    (below(word, b' ') | is(b'"') | is(b'\\')) & (EACH << 7)
}
