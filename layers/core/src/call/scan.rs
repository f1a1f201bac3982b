use std::ops::Range;

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

/// Bytes that are looked at at once.
const WORD: usize = size_of::<u64>();

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
        let byte = *self.text.as_bytes().get(self.at)?;
        if byte > b' ' {
            return Some(byte);
        }
        self.peek_behind_space()
    }

    #[inline(never)]
    fn peek_behind_space(&mut self) -> Option<u8> {
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
        match self.plain_range() {
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
        let range = self.plain_range()?;
        self.text.get(range)
    }

    /// The same: where its text stands.
    #[inline]
    pub(super) fn plain_range(&mut self) -> Option<Range<usize>> {
        let (bytes, start) = (self.text.as_bytes(), self.at + 1);
        let end = match first_word(bytes, start) {
            Some((_, special)) if special != 0 => {
                let end = start + place(special);
                (bytes.get(end) == Some(&b'"')).then_some(end)?
            }
            Some(_) => plain_end(bytes, start, start + WORD)?,
            None => plain_end(bytes, start, start)?,
        };
        self.at = end + 1;
        Some(start..end)
    }

    /// The same: its bytes, which are UTF-8.
    #[inline]
    pub(super) fn plain_bytes(&mut self) -> Option<&'j [u8]> {
        let range = self.plain_range()?;
        self.text.as_bytes().get(range)
    }

    /// The same of one that ends within a word, unless it is the text's last: its bytes, and the word that
    /// begins with them.
    #[inline]
    pub(super) fn short_string(&mut self) -> Option<(&'j [u8], u64)> {
        let (bytes, start) = (self.text.as_bytes(), self.at + 1);
        let (word, special) = first_word(bytes, start)?;
        let end = start + place(special);
        if special == 0 || bytes.get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        Some((bytes.get(start..end)?, word))
    }

    #[inline(never)]
    pub(super) fn escaped_string<T>(&mut self, read: impl FnOnce(&str) -> T) -> Result<T, Broken> {
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

/// The word at this place, and what in it is [special]; none at the end of the text.
#[inline]
fn first_word(bytes: &[u8], at: usize) -> Option<(u64, u64)> {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk)?;
    let word = u64::from_le_bytes(*word);
    Some((word, special(word)))
}

/// Where the string that began at `start`, and was looked at up to `at`, ends, if nothing in it is escaped.
#[inline(never)]
fn plain_end(bytes: &[u8], start: usize, mut at: usize) -> Option<usize> {
    let end = loop {
        let Some((_, special)) = first_word(bytes, at) else {
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
            break at + bytes.get(at..)?.iter().position(is_special)?;
        };
        if special != 0 {
            break at + place(special);
        }
        at += WORD;
        if at - start > NEAR {
            return far_end(bytes, at);
        }
    };
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
    let is_below = |word: u64, least: u8| word.wrapping_sub(EACH * u64::from(least));
    let flipped = |bits: u8| word ^ (EACH * u64::from(bits));
    // With that bit flipped a quote is what a blank was, and control characters stay below.
    let is_control_or_quote = is_below(flipped(b'"' ^ b' '), b' ' + 1);
    let is_backslash = is_below(flipped(b'\\'), 1);
    // None of them is beyond ASCII, whose highest bits are not set.
    (is_control_or_quote | is_backslash) & !word & (EACH << 7)
}

/// The place of the lowest byte that is [special].
#[inline]
fn place(special: u64) -> usize {
    special.trailing_zeros() as usize / 8
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
    fn of_each_byte_at_each_place_it_is_known_whether_it_means_something() {
        for (at, byte) in (0..8).flat_map(|at| (0..=u8::MAX).map(move |byte| (at, byte))) {
            for around in [b'a', b' ', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                let mut word = [around; 8];
                word[at] = byte;
                let first = place(special(u64::from_le_bytes(word)));
                let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
                let expected = word.iter().position(is_special).unwrap_or(8);
                assert_eq!(first, expected, "{word:?}");
            }
        }
    }

    #[test]
    fn a_long_string_is_what_the_parser_takes_it_for() {
        for length in [
            7, 8, 15, 16, 17, 31, 32, 33, 60, 63, 64, 65, 79, 80, 81, 96, 255, 256, 257, 600, 5000,
        ] {
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
