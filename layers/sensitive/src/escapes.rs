//! Text without its escapes: JSON's, and percent encoding.

/// The text as it reads when its escapes are read, and where what was in it.
pub(crate) struct Unescaped {
    pub(crate) text: Vec<u8>,
    /// Pairs of a place in `text` and the same place in the original, in order; between them both go on alike.
    marks: Vec<(usize, usize)>,
}

impl Unescaped {
    /// `None` if there is nothing to read.
    pub(crate) fn of(original: &[u8]) -> Option<Self> {
        let mut read = Self {
            text: Vec::new(),
            marks: Vec::new(),
        };
        let (mut at, mut copied) = (0, 0);
        while let Some(length) = original.get(at..).and_then(|rest| {
            let is_escape = |b: &u8| matches!(b, b'\\' | b'%');
            rest.iter().position(is_escape)
        }) {
            at += length;
            let rest = original.get(at..).unwrap_or_default();
            let Some((c, taken)) = escape(rest) else {
                // Backslashes are taken together, so that each is looked at once.
                at += backslashes(rest).max(1);
                continue;
            };
            if read.text.is_empty() && read.marks.is_empty() {
                read.text.reserve(original.len());
            }
            read.copy(original, copied, at);
            read.marks.push((read.text.len(), at));
            match c {
                Read::Byte(b) => read.text.push(b),
                Read::Char(c) => {
                    let encoded = c.encode_utf8(&mut [0; 4]).len();
                    let start = read.text.len();
                    read.text.resize(start + encoded, 0);
                    if let Some(place) = read.text.get_mut(start..) {
                        c.encode_utf8(place);
                    }
                }
            }
            at += taken;
            copied = at;
            read.marks.push((read.text.len(), at));
        }
        if read.marks.is_empty() {
            return None;
        }
        read.copy(original, copied, original.len());
        Some(read)
    }

    fn copy(&mut self, original: &[u8], from: usize, to: usize) {
        self.text
            .extend_from_slice(original.get(from..to).unwrap_or_default());
    }

    /// Where a place of the text is in the original.
    pub(crate) fn original(&self, place: usize) -> usize {
        let index = self.marks.partition_point(|(here, _)| *here <= place);
        let mark = index.checked_sub(1).and_then(|index| self.marks.get(index));
        mark.map_or(place, |(here, there)| there + (place - here))
    }
}

enum Read {
    Byte(u8),
    Char(char),
}

/// What the escape means that begins here, and how long it is.
fn escape(rest: &[u8]) -> Option<(Read, usize)> {
    if rest.first() == Some(&b'%') {
        let b = hex(rest.get(1..3)?)?;
        return Some((Read::Byte(u8::try_from(b).ok()?), 3));
    }
    // Text in text in text has its escapes escaped.
    let slashes = backslashes(rest);
    let c = match *rest.get(slashes)? {
        b'u' => {
            let unit = hex(rest.get(slashes + 1..slashes + 5)?)?;
            // A half of a character that is beyond any secret.
            let c = char::from_u32(unit).unwrap_or('\u{fffd}');
            return Some((Read::Char(c), slashes + 5));
        }
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' | b'f' => b' ',
        c @ (b'"' | b'\'' | b'/') => c,
        _ => return None,
    };
    Some((Read::Byte(c), slashes + 1))
}

fn backslashes(rest: &[u8]) -> usize {
    rest.iter().take_while(|b| **b == b'\\').count()
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| {
        Some(value << 4 | char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_whatever_they_are_escaped_in() {
        for (text, read) in [
            (r"ann\u0040h", "ann@h"),
            (r"ann\\u0040h", "ann@h"),
            ("ann%40h", "ann@h"),
            (r#"\"a\":\\\"b\\\""#, r#""a":"b""#),
            (r"a\nb", "a\nb"),
            (r"\ud83d", "\u{fffd}"),
        ] {
            let unescaped = Unescaped::of(text.as_bytes()).unwrap();
            assert_eq!(unescaped.text, read.as_bytes(), "{text}");
        }
        for text in ["", "ann", "100%", "%4", "%zz", r"\", r"\\", r"\q", r"\u00"] {
            assert!(Unescaped::of(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_place_is_found_again_in_the_original() {
        let text = r"a\u0040b%40%41c";
        let unescaped = Unescaped::of(text.as_bytes()).unwrap();
        assert_eq!(unescaped.text, b"a@b@Ac");
        let places: Vec<_> = (0..=6).map(|place| unescaped.original(place)).collect();
        assert_eq!(places, [0, 1, 7, 8, 11, 14, 15]);
    }
}
