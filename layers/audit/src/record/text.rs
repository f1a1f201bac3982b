use std::{borrow::Cow, fmt};

use bartizan_core::{printable, uri_without_secrets};

/// Text that a stranger may have chosen, cut to a bound.
///
/// [`as_str`](Self::as_str) is as it was sent: whoever writes it anywhere escapes it. `Display` shows
/// it in visible ASCII.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    text: &'a str,
    limit: u32,
    /// Something that follows is not shown, whatever the limit.
    is_cut: bool,
}

/// What a character takes in a record, at most.
const MAX_ENCODED: u8 = 12;

/// `…`, behind what was cut.
const MARK: &[u8; 6] = b"\\u2026";

/// A text that is cut takes at most so many bytes less than its limit, mark included.
pub(super) const CUT_SHORT_BY: u8 = MAX_ENCODED - 1 - MARK.len() as u8;

/// What is shown of a text.
struct Shown<'a> {
    text: &'a str,
    is_plain: bool,
    is_cut: bool,
}

impl<'a> Text<'a> {
    /// Text whose encoding takes at most `limit` bytes; a mark may follow. It is looked at by whoever
    /// writes it, and not before.
    pub(crate) const fn new(text: &'a str, limit: u32) -> Self {
        Self {
            text,
            limit,
            is_cut: false,
        }
    }

    /// A URI without query, fragment and user information, any of which may hold a credential.
    pub(crate) fn uri(uri: &'a str, limit: u32) -> Self {
        let text = uri_without_secrets(uri);
        Self {
            text,
            limit,
            is_cut: text.len() < uri.len(),
        }
    }

    /// Text that [`portable`](Self::portable) was copied from.
    pub(super) const fn carried(text: &'a str, limit: u32, is_cut: bool) -> Self {
        Self {
            text,
            limit,
            is_cut,
        }
    }

    /// All of it, whatever is shown.
    pub(super) fn raw(&self) -> &'a str {
        self.text
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// Whether something follows that is not shown, whatever the limit.
    pub(super) fn is_cut_behind(&self) -> bool {
        self.is_cut
    }

    /// A beginning of the text that shows like all of it.
    pub(super) fn portable(self) -> &'a str {
        self.portable_ahead(0)
    }

    /// The same with at least so many bytes behind its limit, if there are.
    pub(super) fn portable_ahead(self, ahead: usize) -> &'a str {
        let limit = self.limit as usize + ahead;
        if self.text.len() <= limit {
            return self.text;
        }
        // No character takes less in JSON than in UTF-8, so that what exceeds the limit here exceeds it
        // there, one character further on at the latest.
        let mut ends = limit + 1..=limit + 4;
        let whole = ends.find_map(|end| self.text.get(..end));
        whole.unwrap_or(self.text)
    }

    fn shown(&self) -> Shown<'a> {
        let (text, limit) = (self.text, self.limit as usize);
        if text.len() <= limit && is_plain(text) {
            return Shown {
                text,
                is_plain: true,
                is_cut: self.is_cut,
            };
        }
        let mut encoded = 0;
        let fits = |c: char| {
            encoded += encoded_len(c);
            encoded <= limit
        };
        let kept = text.len() - text.trim_start_matches(fits).len();
        Shown {
            text: text.get(..kept).unwrap_or(text),
            is_plain: false,
            is_cut: self.is_cut || kept < text.len(),
        }
    }

    /// What is left of the text.
    pub fn as_str(&self) -> &'a str {
        self.shown().text
    }

    /// Whether something was cut off. A record marks it with `…`.
    pub fn is_cut(&self) -> bool {
        self.shown().is_cut
    }

    /// As [`Display`](fmt::Display) shows it; only what needs an escape or a mark is copied.
    pub(crate) fn to_visible(self) -> Cow<'a, str> {
        match self.shown() {
            Shown {
                text,
                is_plain: true,
                is_cut: false,
            } => Cow::Borrowed(text),
            _ => Cow::Owned(self.to_string()),
        }
    }

    /// Appends the text as a JSON string of visible ASCII, quotes included.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        self.write_contents(out);
        out.push(b'"');
    }

    /// Appends what stands between the quotes.
    pub(crate) fn write_contents(&self, out: &mut Vec<u8>) {
        let shown = self.shown();
        if shown.is_plain {
            out.extend_from_slice(shown.text.as_bytes());
        } else {
            for c in shown.text.chars() {
                push_escaped(out, c);
            }
        }
        if shown.is_cut {
            out.extend_from_slice(MARK);
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.shown(), other.shown());
        (one.text, one.is_cut) == (other.text, other.is_cut)
    }
}

impl Eq for Text<'_> {}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Text").field(&self.to_visible()).finish()
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown();
        printable(shown.text, usize::MAX).fmt(f)?;
        f.write_str(if shown.is_cut { "..." } else { "" })
    }
}

/// Whether the text stands in JSON as it is. Looks at every byte, which is faster than to stop, at
/// eight at a time, and at what the last ones have in common with those before twice.
fn is_plain(text: &str) -> bool {
    let text = text.as_bytes();
    if let Some(last) = text.last_chunk::<8>() {
        let (eights, _) = text.as_chunks::<8>();
        let last = escaped(u64::from_le_bytes(*last));
        let all = eights
            .iter()
            .fold(last, |all, eight| all | escaped(u64::from_le_bytes(*eight)));
        return all == 0;
    }
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let [first, last] = [first, last].map(|four| u64::from(u32::from_le_bytes(*four)));
            escaped(first << 32 | last) == 0
        }
        _ => text.iter().all(|b| is_plain_byte(*b)),
    }
}

/// Not 0 if one of the eight bytes is not plain.
#[inline]
fn escaped(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHEST: u64 = ONES << 7;
    // The highest bit of each byte that is less; of those above such a one perhaps without being so.
    let less = |eight: u64, than: u8| eight.wrapping_sub(ONES * u64::from(than)) & !eight;
    let is = |byte: u8| less(eight ^ (ONES * u64::from(byte)), 1);
    (eight | less(eight, b' ') | is(b'"') | is(b'\\') | is(0x7f)) & HIGHEST
}

#[inline]
fn is_plain_byte(b: u8) -> bool {
    (b' '..=b'~').contains(&b) & (b != b'"') & (b != b'\\')
}

fn encoded_len(c: char) -> usize {
    match c {
        '"' | '\\' => 2,
        ' '..='~' => 1,
        '\0'..='\u{ffff}' => 6,
        _ => MAX_ENCODED.into(),
    }
}

fn push_escaped(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        ' '..='~' => out.push(c as u8),
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let hex = |shift: u32| {
                    let digit = (*unit >> shift & 0xf) as u8;
                    if digit < 10 {
                        b'0' + digit
                    } else {
                        b'a' + digit - 10
                    }
                };
                out.extend_from_slice(&[b'\\', b'u', hex(12), hex(8), hex(4), hex(0)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(text: Text<'_>) -> String {
        let mut out = Vec::new();
        text.write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn al_5_seed_u15_controls_bidi_and_separators_are_escaped() {
        let hostile = "a\r\n\u{1b}[31m\u{7f}\u{9b}\u{202e}\u{2028}\"\\é😀";
        assert_eq!(
            json(Text::new(hostile, 1000)),
            r#""a\u000d\u000a\u001b[31m\u007f\u009b\u202e\u2028\"\\\u00e9\ud83d\ude00""#
        );
        assert!(Text::new(hostile, 1000).to_string().is_ascii());
    }

    #[test]
    fn al_2_tr_24_a_uri_loses_query_fragment_and_user_information() {
        for (uri, kept) in [
            ("file:///etc/motd", r#""file:///etc/motd""#),
            ("https://h/x?access_token=s3cret", r#""https://h/x\u2026""#),
            ("https://h/x#s3cret", r#""https://h/x\u2026""#),
            ("https://ann:s3cret@h/x", r#""https://\u2026""#),
            ("https://h\\@s3cret", r#""https://\u2026""#),
            ("mailto:ann@h", r#""mailto:ann@h""#),
            ("npm:@scope/x", r#""npm:@scope/x""#),
            ("file:///home/ann@h/x", r#""file:///home/ann@h/x""#),
            ("https:/ann:s3cret@h/x", r#""https:/\u2026""#),
            ("https:\\\\ann:s3cret@h/x", r#""https:\\\\\u2026""#),
            ("HTTPS:ann:s3cret@h/x", r#""HTTPS:\u2026""#),
            ("https://ann:pa/s3cret@h/x", r#""https://\u2026""#),
            ("https://ann:s3cret#x@h/", r#""https://\u2026""#),
            ("db://ann:s3cret@h/x", r#""db://\u2026""#),
            ("//ann:s3cret@h/x", r#""//\u2026""#),
            (
                "https://h/x%3Faccess_token=s3cret",
                r#""https://h/x\u2026""#,
            ),
            ("https://h/x%23s3cret", r#""https://h/x\u2026""#),
            ("?s3cret", r#""\u2026""#),
        ] {
            assert_eq!(json(Text::uri(uri, 1000)), kept);
        }
    }

    #[test]
    fn one_byte_that_needs_escaping_is_found_wherever_it_stands() {
        for length in 1..40 {
            assert!(is_plain(&"a".repeat(length)));
            for at in 0..length {
                for c in ['"', '\\', '\n', '\u{7f}'] {
                    let mut text = "a".repeat(length);
                    text.replace_range(at..=at, &c.to_string());
                    assert!(!is_plain(&text), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn text_is_plain_if_each_byte_is() {
        for byte in 0..0x80_u8 {
            for around in [b' ', b'!', b'~', b'a', b'#', byte] {
                for (length, at) in
                    (1..20).flat_map(|length| (0..length).map(move |at| (length, at)))
                {
                    let mut text = vec![around; length];
                    text[at] = byte;
                    let expected = text.iter().all(|b| is_plain_byte(*b));
                    let text = String::from_utf8(text).unwrap();
                    assert_eq!(is_plain(&text), expected, "{text:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_plain_needs_no_escape(text in "[ -~]{0,30}|.{0,20}|[ -~é\\x7f\\x1f😀]{0,20}") {
            prop_assert_eq!(is_plain(&text), text.bytes().all(is_plain_byte));
        }

        #[test]
        fn any_text_is_bounded_ascii_and_comes_back(text in any::<String>(), limit in 0u32..80) {
            let cut = Text::new(&text, limit);
            let written = json(cut);
            prop_assert!(written.bytes().all(|b| (b' '..=b'~').contains(&b)));
            prop_assert!(written.len() <= limit as usize + 8);
            let back: String = serde_json::from_str(&written).unwrap();
            let kept = back.strip_suffix('…').filter(|_| cut.is_cut()).unwrap_or(&back);
            prop_assert!(text.starts_with(kept));
            prop_assert_eq!(kept.len() < text.len(), cut.is_cut());
        }

        #[test]
        fn what_is_carried_elsewhere_shows_like_all_of_it(text in any::<String>(), limit in 0u32..30) {
            let text = Text::new(&text, limit);
            let carried = text.portable().to_owned();
            prop_assert!(carried.len() <= limit as usize + 4);
            let carried = Text::carried(&carried, limit, false);
            prop_assert_eq!(json(carried), json(text));
        }

        #[test]
        fn no_uri_shows_what_follows_its_question_mark(uri in "[a-z:/@.]{0,30}") {
            let uri = format!("{uri}?SECRET");
            prop_assert!(!json(Text::uri(&uri, 40)).contains("SECRET"));
        }
    }
}
