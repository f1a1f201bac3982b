/// Which characters the strings of arguments may have, names of members included.
///
/// By default all but control characters (tab, line feed and carriage return may stand in values, not in
/// names), and but those that change the direction of text, so that a person reads something else than a
/// program does (U+202A to U+202E, U+2066 to U+2069).
///
/// ```
/// use bartizan_validate::Characters;
/// let one_line = Characters::new().without_line_breaks();
/// assert!(one_line.admit("Grüße"));
/// assert!(!one_line.admit("a\nb"));
/// assert!(!one_line.admit("user\u{202e}txt.exe"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Characters {
    controls: bool,
    line_breaks: bool,
    bidirectional: bool,
    invisible_tags: bool,
}

impl Characters {
    /// The default.
    pub const fn new() -> Self {
        Self {
            controls: false,
            line_breaks: true,
            bidirectional: false,
            invisible_tags: false,
        }
    }

    /// Whatever there is in Unicode.
    pub const fn any() -> Self {
        Self {
            controls: true,
            line_breaks: true,
            bidirectional: true,
            invisible_tags: true,
        }
    }

    /// Neither tab, line feed and carriage return, nor the separators U+2028 and U+2029.
    pub const fn without_line_breaks(mut self) -> Self {
        self.line_breaks = false;
        self
    }

    /// Control characters too: U+0000 to U+001F, U+007F to U+009F.
    pub const fn with_controls(mut self) -> Self {
        self.controls = true;
        self
    }

    /// What changes the direction of text too. Texts in Hebrew and Arabic hold isolates now and then.
    pub const fn with_bidirectional(mut self) -> Self {
        self.bidirectional = true;
        self
    }

    /// The tag characters U+E0000 to U+E007F too, which nobody sees and models read. A few flags are made of them.
    pub const fn with_invisible_tags(mut self) -> Self {
        self.invisible_tags = true;
        self
    }

    /// The same for names, which have no line breaks unless they may have controls.
    pub(crate) const fn of_names(self) -> Self {
        Self {
            line_breaks: self.controls && self.line_breaks,
            ..self
        }
    }

    /// Whether a text has only what it may have.
    pub fn admit(self, text: &str) -> bool {
        self.offence(text).is_none()
    }

    /// What sort of character the text has that it may not have.
    pub(crate) fn offence(self, text: &str) -> Option<&'static str> {
        // Nearly all texts are plain ASCII; without a way out in between, many bytes are looked at at once.
        let is_plain = |byte: &u8| {
            let is_break = matches!(byte, b'\t' | b'\n' | b'\r');
            matches!(byte, b' '..=b'~') | (is_break & self.line_breaks)
        };
        let are_plain = |bytes: &[u8]| bytes.iter().fold(true, |all, byte| all & is_plain(byte));
        if text.as_bytes().chunks(256).all(are_plain) {
            return None;
        }
        text.chars().find_map(|c| self.offence_of(c))
    }

    fn offence_of(self, c: char) -> Option<&'static str> {
        match c {
            '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => {
                (!self.line_breaks).then_some("a line break or tab")
            }
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => {
                (!self.controls).then_some("a control character")
            }
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                let what = "a character that changes the direction of text";
                (!self.bidirectional).then_some(what)
            }
            '\u{e0000}'..='\u{e007f}' => {
                (!self.invisible_tags).then_some("an invisible tag character")
            }
            _ => None,
        }
    }
}

impl Default for Characters {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_v9_what_a_person_reads_otherwise_is_refused_until_it_is_permitted() {
        let new = Characters::new();
        for (text, permitted) in [
            ("a\0", new.with_controls()),
            ("\u{1b}[31m", new.with_controls()),
            ("\u{7f}", new.with_controls()),
            ("\u{85}", new.with_controls()),
            ("a\u{202e}b", new.with_bidirectional()),
            ("a\u{2066}b", new.with_bidirectional()),
            ("a\u{e0041}", new.with_invisible_tags()),
            ("ab\n", new),
            ("\u{2028}", new),
            ("Grüße, שלום, 你好 🦀", new),
        ] {
            assert_eq!(new.admit(text), permitted == new, "{text:?}");
            assert!(permitted.admit(text), "{text:?}");
            assert!(Characters::any().admit(text), "{text:?}");
        }
        for text in ["ab\n", "a\tb", "\u{2028}"] {
            assert!(!new.without_line_breaks().admit(text), "{text:?}");
        }
    }
}
