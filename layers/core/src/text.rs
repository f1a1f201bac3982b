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

/// Whether it is visible ASCII, blanks and tabs: what [`HeaderValue::to_str`](http::HeaderValue::to_str) takes.
#[cfg(feature = "auth")]
pub(crate) fn is_visible(text: &[u8]) -> bool {
    // Without a way out in between, many bytes are looked at at once.
    let highest = text
        .iter()
        .fold(0, |highest: u8, byte| highest.max(byte.wrapping_sub(b' ')));
    highest <= b'~' - b' ' || text.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
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

/// The part of a URI that may be written into a log: without query, fragment and user information,
/// any of which may hold a credential (AL-2, TR-24).
///
/// What a lenient reader may take for one of them counts as such: escaped marks, missing or turned
/// slashes, and in the URL of a web server any `@`.
///
/// ```
/// use bartizan_core::uri_without_secrets;
/// assert_eq!(uri_without_secrets("file:///etc/motd"), "file:///etc/motd");
/// assert_eq!(uri_without_secrets("https://h/x?token=s3cret"), "https://h/x");
/// assert_eq!(uri_without_secrets("https://ann:s3cret@h/x"), "https://");
/// ```
pub fn uri_without_secrets(uri: &str) -> &str {
    let (scheme, rest) = uri.split_once(':').unwrap_or_default();
    let is_scheme = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let has_scheme = !scheme.is_empty() && scheme.bytes().all(is_scheme);
    let (scheme, rest) = if has_scheme {
        (scheme, rest)
    } else {
        ("", uri)
    };
    let authority = rest.trim_start_matches(['/', '\\']);
    let is_web = WEB.iter().any(|web| web.eq_ignore_ascii_case(scheme));
    let has_authority = is_web || rest.len() - authority.len() >= 2;
    let searched = if is_web {
        authority
    } else {
        let end = authority.find(['/', '?', '#']);
        authority
            .get(..end.unwrap_or(authority.len()))
            .unwrap_or_default()
    };
    let kept = if has_authority && searched.contains('@') {
        uri.len() - authority.len()
    } else {
        let marks = uri.find(['?', '#']);
        let escaped = ["%3f", "%3F", "%23"]
            .iter()
            .filter_map(|mark| uri.find(mark));
        marks.into_iter().chain(escaped).min().unwrap_or(uri.len())
    };
    uri.get(..kept).unwrap_or_default()
}

/// Schemes whose readers forgive slashes that are missing or turned.
const WEB: [&str; 5] = ["http", "https", "ws", "wss", "ftp"];

/// Writes `text` as a JSON string, quotes included.
///
/// ```
/// let mut out = String::new();
/// bartizan_core::write_json_string(&mut out, "a\"b\n");
/// assert_eq!(out, r#""a\"b\u000a""#);
/// ```
pub fn write_json_string(out: &mut String, text: &str) {
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

    #[cfg(feature = "auth")]
    #[test]
    fn what_is_visible_is_what_a_header_value_says_is_text() {
        for byte in 0..=u8::MAX {
            for length in [1, 15, 16, 33] {
                for place in [0, length - 1] {
                    let mut text = vec![b'a'; length];
                    text[place] = byte;
                    let value = http::HeaderValue::from_bytes(&text);
                    let expected = value.is_ok_and(|value| value.to_str().is_ok());
                    assert_eq!(is_visible(&text), expected, "{text:?}");
                }
            }
        }
        assert!(is_visible(b""));
    }

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
