use unicode_normalization::char::decompose_compatible;

use super::{
    Refused,
    characters::{hidden, is_joiner, is_selector},
    read::{FromText, text_type},
};

/// The path of something below a directory: parts with `/` between them, `reports/2026/november.csv`.
///
/// It is relative, has no `.` and no `..`, and means the same to every system: no backslash, no
/// drive, no name of a Windows device, no dot or space at the end of a part, no character that is
/// reserved, not seen, or read as a separator elsewhere, and no percent escape that a decoder further in would
/// undo. At most 1024 bytes, 64 parts, 255 bytes a part. (TA-6)
///
/// A path by itself is only text. What it leads to depends on the directory, and on links in it: open it
/// with `ScopedDir` (feature `files`); the guide has a page about it.
///
/// ```
/// use bartizan_validate::safe::SafePath;
///
/// let path: SafePath = "reports/2026/november.csv".parse().unwrap();
/// assert_eq!(path.file_name(), "november.csv");
///
/// for no in ["/etc/passwd", "a/../../b", "..\\b", "C:/x", "a//b", "a/", "nul.txt", "%2e%2e/b", "x\0.png"] {
///     assert!(no.parse::<SafePath>().is_err(), "{no}");
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafePath {
    text: Box<str>,
}

impl SafePath {
    /// The longest, in bytes.
    pub const MAX: usize = 1024;
    const MAX_PARTS: usize = 64;
    const MAX_PART: usize = 255;

    /// The path, if the text is one.
    ///
    /// # Errors
    ///
    /// With the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, Refused> {
        Self::from_text(text)
    }

    /// Its parts, of which there is at least one, and none is empty.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.text.split('/')
    }

    /// Its last part.
    pub fn file_name(&self) -> &str {
        self.split_last().1
    }

    /// What follows the last dot of its last part, if that does not begin with it.
    pub fn extension(&self) -> Option<&str> {
        let (stem, extension) = self.file_name().rsplit_once('.')?;
        (!stem.is_empty()).then_some(extension)
    }

    /// The parts before the last, and the last.
    pub(crate) fn split_last(&self) -> (Option<&str>, &str) {
        match self.text.rsplit_once('/') {
            Some((folder, name)) => (Some(folder), name),
            None => (None, &self.text),
        }
    }
}

impl FromText for SafePath {
    const WHAT: &'static str = "path";

    fn from_text(text: &str) -> Result<Self, Refused> {
        match rule_broken_by(text) {
            Some(rule) => Err(Refused::new(Self::WHAT, rule)),
            None => Ok(Self { text: text.into() }),
        }
    }
}

fn rule_broken_by(text: &str) -> Option<&'static str> {
    if text.len() > SafePath::MAX {
        return Some("is too long");
    }
    if text.is_empty() {
        return Some("is empty");
    }
    if text.starts_with('/') {
        return Some("is absolute");
    }
    if let Some(rule) = text.chars().find_map(rule_broken_by_character) {
        return Some(rule);
    }
    if text.split('%').skip(1).any(is_escape) {
        return Some("has a percent escape");
    }
    if text.split('/').count() > SafePath::MAX_PARTS {
        return Some("has too many parts");
    }
    text.split('/').find_map(rule_broken_by_part)
}

fn rule_broken_by_character(c: char) -> Option<&'static str> {
    match c {
        '\\' => Some("has a backslash"),
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => {
            Some("has a character that file systems reserve")
        }
        // What conversions between character sets make slashes, backslashes and colons of.
        '\u{2044}' | '\u{2215}' | '\u{2216}' | '\u{2236}' | '\u{29F5}' | '\u{29F8}'
        | '\u{29F9}' => Some(IS_READ_OTHERWISE),
        _ if !c.is_ascii() && folds_to_reserved(c) => Some(IS_READ_OTHERWISE),
        // Some file systems drop them, so that two names are one.
        _ if is_joiner(c) || is_selector(c) => Some("has a character that is not seen"),
        _ => hidden(c),
    }
}

const IS_READ_OTHERWISE: &str = "has a character that is read as a dot or separator elsewhere";

/// Whether the compatible form of a character holds one that means something in paths: `．`, `／`, `℅`.
fn folds_to_reserved(c: char) -> bool {
    let mut folds = false;
    decompose_compatible(c, |part| {
        folds |= matches!(
            part,
            '.' | '/' | '\\' | ':' | '<' | '>' | '"' | '|' | '?' | '*' | '%'
        );
    });
    folds
}

/// Whether what follows a percent sign makes an escape of it: `2e`, `u002e`.
fn is_escape(after: &str) -> bool {
    let is_hex = |digits: Option<&[u8]>| {
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let after = after.as_bytes();
    is_hex(after.get(..2)) || matches!(after.first(), Some(b'u' | b'U')) && is_hex(after.get(1..5))
}

fn rule_broken_by_part(part: &str) -> Option<&'static str> {
    match part {
        "" => Some("has an empty part"),
        "." | ".." => Some("has a part that is `.` or `..`"),
        // `..;` and `..#` are `..` to those who cut off what follows.
        _ if part.starts_with("..") => Some("has a part that begins with `..`"),
        _ if part.len() > SafePath::MAX_PART => Some("has a part that is too long"),
        _ if part.starts_with(char::is_whitespace) => Some("has a part that begins with a space"),
        _ if part.ends_with(|c: char| c == '.' || c.is_whitespace()) => {
            Some("has a part that ends with a dot or space")
        }
        _ if is_device(part) => Some("has a part that is the name of a device"),
        _ => None,
    }
}

/// Whether Windows takes the name for one of its devices, whatever extension it has.
fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part).trim_end();
    let is = |name: &&str| stem.eq_ignore_ascii_case(name);
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"]
        .iter()
        .any(is)
    {
        return true;
    }
    let mut letters = stem.chars();
    let number = letters.next_back();
    let is_number = matches!(number, Some('0'..='9' | '¹' | '²' | '³'));
    let port = letters.as_str();
    is_number && (port.eq_ignore_ascii_case("COM") || port.eq_ignore_ascii_case("LPT"))
}

text_type! {
    [] SafePath, "SafePath",
    schema: {
        "minLength": 1,
        "maxLength": SafePath::MAX,
        "description": "relative path with `/` between its parts, none of which is `.` or `..`",
        "pattern": concat!(
            "^", part!(), "(/", part!(), ")*$",
        ),
    }
}

/// A part of a path, as far as a pattern without assertions tells: its last character is no dot.
#[cfg(feature = "schemars")]
macro_rules! part {
    () => {
        concat!(
            r#"([^\u0000-\u001F/\\<>:"|?*"#,
            super::characters::hidden_class!(),
            r#"]*"#,
            r#"[^\u0000-\u001F/\\<>:"|?*. "#,
            super::characters::hidden_class!(),
            r#"])"#,
        )
    };
}

#[cfg(feature = "schemars")]
use part;
