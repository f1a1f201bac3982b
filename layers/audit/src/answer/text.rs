use std::str;

use super::Id;

/// What a string says, as far as it is looked at: its first bytes, and whether it is the request's id.
#[derive(Debug)]
pub(super) struct Text {
    bytes: [u8; LONGEST],
    /// Of all of it, unescaped.
    length: usize,
    is_ours: bool,
    escape: Escape,
    /// The first half of a character beyond the first plane.
    high: Option<u16>,
}

#[derive(Debug, Clone, Copy)]
enum Escape {
    None,
    Begun,
    Hex { digits: u8, value: u16 },
}

/// Longest word that is known.
const LONGEST: usize = 16;

impl Text {
    pub(super) fn new() -> Self {
        Self {
            bytes: [0; LONGEST],
            length: 0,
            is_ours: true,
            escape: Escape::None,
            high: None,
        }
    }

    /// Takes the next byte; whether the string ends with it.
    pub(super) fn push(&mut self, byte: u8, ours: Id<'_>) -> bool {
        match self.escape {
            Escape::None => match byte {
                b'"' => return true,
                b'\\' => self.escape = Escape::Begun,
                _ => self.emit(byte, ours),
            },
            Escape::Begun => {
                self.escape = Escape::None;
                match byte {
                    b'u' => {
                        self.escape = Escape::Hex {
                            digits: 0,
                            value: 0,
                        };
                    }
                    b'b' => self.emit(8, ours),
                    b'f' => self.emit(12, ours),
                    b'n' => self.emit(b'\n', ours),
                    b'r' => self.emit(b'\r', ours),
                    b't' => self.emit(b'\t', ours),
                    _ => self.emit(byte, ours),
                }
            }
            Escape::Hex { digits, value } => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                let value = value << 4 | u16::try_from(digit).unwrap_or_default();
                if digits < 3 {
                    let digits = digits + 1;
                    self.escape = Escape::Hex { digits, value };
                } else {
                    self.escape = Escape::None;
                    self.unit(value, ours);
                }
            }
        }
        false
    }

    fn unit(&mut self, unit: u16, ours: Id<'_>) {
        let high = self.high.take();
        if (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            return;
        }
        let units = [high.unwrap_or(unit), unit];
        let units = units.get(usize::from(high.is_none())..).unwrap_or_default();
        for c in char::decode_utf16(units.iter().copied()) {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                self.emit(byte, ours);
            }
        }
    }

    fn emit(&mut self, byte: u8, ours: Id<'_>) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
        }
        let expected = match ours {
            Id::Text(text) => text.as_bytes().get(self.length),
            _ => None,
        };
        self.is_ours &= expected == Some(&byte);
        self.length += 1;
    }

    /// All of it, if it is short.
    pub(super) fn short(&self) -> Option<&[u8]> {
        self.bytes.get(..self.length)
    }

    pub(super) fn is(&self, ours: Id<'_>) -> bool {
        matches!(ours, Id::Text(text) if text.len() == self.length) && self.is_ours
    }
}

/// The first bytes of a number or a literal that is cut.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Short {
    bytes: [u8; LONGEST_WORD],
    /// Of all of it, or more than fit.
    length: u8,
}

/// Longest number or literal that is looked at.
const LONGEST_WORD: usize = 32;

impl Short {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut short = Self::default();
        bytes.iter().for_each(|byte| short.push(*byte));
        short
    }

    pub(super) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(usize::from(self.length)) {
            *place = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    pub(super) fn word(&self) -> Word<'_> {
        Word(self.bytes.get(..usize::from(self.length)))
    }
}

/// Whether a number or a literal goes on with this byte.
#[inline]
pub(super) fn is_of_word(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'+' | b'-' | b'.')
}

/// A number or a literal; `None` of one that is too long to look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a>(Option<&'a [u8]>);

impl<'a> Word<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self((bytes.len() <= LONGEST_WORD).then_some(bytes))
    }

    /// All of it.
    pub(super) fn text(self) -> Option<&'a [u8]> {
        self.0
    }

    pub(super) fn is(self, ours: Id<'_>) -> bool {
        matches!(ours, Id::Number(number) if self.0 == Some(number.as_bytes()))
    }

    pub(super) fn integer(self) -> Option<i64> {
        str::from_utf8(self.0?).ok()?.parse().ok()
    }

    /// Whether it is a number of JSON. One that is too long to look at is taken for one.
    pub(super) fn is_number(self) -> bool {
        self.0.is_none_or(|text| {
            is_short_integer(text)
                || matches!(text, [b'-' | b'0'..=b'9', ..])
                    && serde_json::from_slice::<serde_json::Number>(text).is_ok()
        })
    }
}

/// As most numbers are.
fn is_short_integer(text: &[u8]) -> bool {
    match text {
        [b'0'..=b'9'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}
