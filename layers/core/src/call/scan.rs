use jiter::{Jiter, JiterError};
use memchr::memchr2;

/// Reads the tokens of JSON text (RFC 8259) one by one.
///
/// What nearly all of a message is made of is read here: white space, strings without
/// escapes, short integers. Whatever else begins is the parser's business, from its first byte on, so that
/// there is one reading of escapes, surrogates, fractions, and of all that is broken.
///
/// ```
/// use bartizan_core::call::Tokens;
/// let mut tokens = Tokens::of(r#"{"a": [1, {}]}"#);
/// assert!(tokens.skip().is_ok());
/// assert_eq!(tokens.peek(), None);
/// assert!(Tokens::of("[1,]").skip().is_err());
/// ```
#[derive(Debug)]
pub struct Tokens<'j> {
    pub(super) text: &'j str,
    at: usize,
    unescaped: Vec<u8>,
}

/// The text is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken;

impl From<JiterError> for Broken {
    fn from(_: JiterError) -> Self {
        Self
    }
}

/// Deepest nesting that [`Tokens::skip`] walks through.
const DEEPEST: u32 = 127;

/// Most digits of an integer that is read here.
const SHORT: usize = 18;

/// Bytes of a string that are looked at word by word; beyond, a search for its end is faster.
const NEAR: usize = 64;

impl<'j> Tokens<'j> {
    /// The tokens of this text.
    pub fn of(text: &'j str) -> Self {
        Self {
            text,
            at: 0,
            unescaped: Vec::new(),
        }
    }

    /// Where the next token begins, once it was [peeked](Self::peek) at, or where the last ended.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The first byte of the next token; `None` at the end.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
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
    pub fn punctuation(&mut self) {
        self.at += 1;
    }

    /// Takes `true`, `false` or `null`.
    ///
    /// # Errors
    ///
    /// If it is something else.
    #[inline]
    pub fn literal(&mut self, name: &str) -> Result<(), Broken> {
        let is_it = self.rest().starts_with(name.as_bytes());
        self.at += name.len();
        if is_it { Ok(()) } else { Err(Broken) }
    }

    /// Takes a string, and hands what it says, unescaped, to `read`.
    ///
    /// # Errors
    ///
    /// If it is no string.
    #[inline]
    pub fn string<T>(&mut self, read: impl FnOnce(&str) -> T) -> Result<T, Broken> {
        match self.plain_string() {
            Some(plain) => Ok(read(plain)),
            None => self.escaped_string(read),
        }
    }

    /// Takes a string, whatever it says.
    ///
    /// # Errors
    ///
    /// If it is no string.
    #[inline]
    pub fn skip_string(&mut self) -> Result<(), Broken> {
        match self.plain_string() {
            Some(_) => Ok(()),
            None => self.skip_escaped_string(),
        }
    }

    /// Takes a number: what begins with a byte that begins nothing else.
    ///
    /// # Errors
    ///
    /// If it is no number.
    #[inline]
    pub fn skip_number(&mut self) -> Result<(), Broken> {
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

    /// Takes a value, whatever it is and holds. Members are not compared: one may be there twice.
    ///
    /// # Errors
    ///
    /// If it is no JSON, or nested deeper than 127.
    pub fn skip(&mut self) -> Result<(), Broken> {
        // A bit for each level that is open, the innermost last: whether it is an object.
        let (mut objects, mut depth) = (0_u128, 0);
        loop {
            let first = self.peek().ok_or(Broken)?;
            let is_object = first == b'{';
            match first {
                b'{' | b'[' => {
                    self.punctuation();
                    let end = if is_object { b'}' } else { b']' };
                    if self.peek() == Some(end) {
                        self.punctuation();
                    } else if depth == DEEPEST {
                        return Err(Broken);
                    } else {
                        depth += 1;
                        objects = objects << 1 | u128::from(is_object);
                        if is_object {
                            self.skip_key()?;
                        }
                        continue;
                    }
                }
                b'"' => self.skip_string()?,
                b'n' => self.literal("null")?,
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                _ => self.skip_number()?,
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let is_object = objects & 1 == 1;
                let next = self.peek();
                self.punctuation();
                match next {
                    Some(b',') if is_object => {
                        self.skip_key()?;
                        break;
                    }
                    Some(b',') => break,
                    Some(b'}') if is_object => {}
                    Some(b']') if !is_object => {}
                    _ => return Err(Broken),
                }
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    #[inline]
    fn skip_key(&mut self) -> Result<(), Broken> {
        if self.peek() != Some(b'"') {
            return Err(Broken);
        }
        self.skip_string()?;
        if self.peek() != Some(b':') {
            return Err(Broken);
        }
        self.punctuation();
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
            return far_end(bytes, at);
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    let end = at + bytes.get(at..)?.iter().position(is_special)?;
    (bytes.get(end) == Some(&b'"')).then_some(end)
}

/// The same of a string that is long, from where it is looked at.
fn far_end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let length = memchr2(b'"', b'\\', rest)?;
    let (text, behind) = rest.split_at(length);
    // Without a way out in between, many bytes are looked at at once.
    let are_printed = |bytes: &[u8]| bytes.iter().fold(true, |all, byte| all & (*byte >= b' '));
    let is_plain = behind.first() == Some(&b'"') && text.chunks(256).all(are_printed);
    is_plain.then_some(from + length)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    fn is_skipped(text: &str) -> bool {
        let mut tokens = Tokens::of(text);
        tokens.skip().is_ok() && tokens.peek().is_none()
    }

    #[test]
    fn what_is_nested_deeper_than_127_is_not_walked_through() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth| format!("{}0{}", open.repeat(depth), close.repeat(depth));
            assert!(is_skipped(&nested(127)));
            assert!(!is_skipped(&nested(128)));
        }
    }

    #[test]
    fn a_long_string_is_what_the_parser_takes_it_for() {
        for length in [60, 63, 64, 65, 72, 73, 79, 80, 255, 256, 257, 600, 5000] {
            for put in [
                "", "\n", "\0", "\u{1f}", " ", "é", "\\\"", "\\n", "\\u0041", "\\x", "\"", "\u{7f}",
            ] {
                for place in [0, 1, length / 2, length - 1, length] {
                    let (before, after) = ("x".repeat(place), "y".repeat(length - place));
                    let text = format!("\"{before}{put}{after}\"");
                    let expected = serde_json::from_str::<String>(&text);
                    let mut tokens = Tokens::of(&text);
                    let read = tokens.string(str::to_owned);
                    let read = read.ok().filter(|_| tokens.peek().is_none());
                    assert_eq!(read, expected.ok(), "{put:?} at {place} of {length}");
                    let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
                    assert_eq!(is_skipped(&text), is_json, "{put:?} at {place} of {length}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_skipped_is_what_serde_json_skips(
            pieces in prop::collection::vec(
                r#"[\[\]{},:]|"[a\\\\u0]{0,3}"|"[a-c]":|-?[0-9]{1,2}|true|null|fals| |[0-9.eE+-]{1,4}"#,
                0..12,
            ),
            is_wrapped: bool,
        ) {
            let mut text = pieces.concat();
            if is_wrapped {
                text = format!("[{text}]");
            }
            // That parser does not look at half characters where it skips.
            prop_assume!(!text.contains("\\u"));
            let expected = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            prop_assert_eq!(is_skipped(&text), expected, "{}", text);
        }
    }
}
