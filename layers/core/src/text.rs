use std::fmt::{self, Write};

/// Shows text that a stranger chose, so that it stays on one line and inside a bound.
///
/// Control characters, line separators, bidirectional controls and non-ASCII are escaped as
/// `\u{..}`, a backslash is doubled, and what exceeds the bound is cut with `…`. (AL-5)
///
/// ```
/// use bartizan_core::printable;
/// assert_eq!(printable("a\nb", 80).to_string(), r"a\u{a}b");
/// assert_eq!(printable("abcdef", 3).to_string(), "abc…");
/// ```
pub fn printable(text: &str, max_chars: usize) -> Printable<'_> {
    Printable { text, max_chars }
}

/// The `Display` of [`printable`].
#[derive(Debug, Clone, Copy)]
pub struct Printable<'a> {
    text: &'a str,
    max_chars: usize,
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |b: u8| matches!(b, b' '..=b'~') && b != b'\\';
        if self.text.len() <= self.max_chars && self.text.bytes().all(plain) {
            return f.write_str(self.text);
        }
        for (index, c) in self.text.chars().enumerate() {
            if index == self.max_chars {
                return f.write_char('…');
            }
            match c {
                '\\' => f.write_str("\\\\")?,
                ' '..='~' => f.write_char(c)?,
                _ => write!(f, "{}", c.escape_unicode())?,
            }
        }
        Ok(())
    }
}

/// Writes `text` as a JSON string, quotes included.
pub(crate) fn write_json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{0}'..='\u{1f}' | '\u{7f}' | '\u{2028}' | '\u{2029}' => {
                // A `String` takes every write.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_line_breaks_terminal_sequences_and_bidi_controls() {
        let shown = printable("a\r\nb\u{1b}[31m\u{202e}\u{2028}é\\", 80).to_string();
        assert!(shown.is_ascii());
        assert_eq!(shown, r"a\u{d}\u{a}b\u{1b}[31m\u{202e}\u{2028}\u{e9}\\");
    }

    #[test]
    fn seed_u15_what_a_stranger_sends_is_encoded_and_bounded() {
        let agent = format!("curl\nAUDIT admin deleted{}", "x".repeat(10_000));
        let shown = printable(&agent, 200).to_string();
        assert!(!shown.contains('\n'));
        assert_eq!(shown.chars().count(), 200 + r"\u{a}".len());
        assert!(shown.ends_with('…'));
    }

    #[test]
    fn json_strings_hold_quotes_backslashes_and_controls() {
        let mut out = String::new();
        write_json_string(&mut out, "a\"b\\c\n\u{7f}é");
        assert_eq!(out, r#""a\"b\\c\u000a\u007fé""#);
    }
}
