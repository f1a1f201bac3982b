use super::{
    Refused,
    read::{FromText, text_type},
};

/// A name for URLs, files and logs: lower case letters of ASCII, digits, and single hyphens between
/// them; at most 64 bytes. See [the guide](crate::guide::slugs).
///
/// ```
/// use bartizan_validate::safe::Slug;
///
/// assert!("release-2026-11".parse::<Slug>().is_ok());
/// for no in ["", "Release", "-rf", "a--b", "a_b", "a-b\n", "раураl"] {
///     assert!(no.parse::<Slug>().is_err(), "{no}");
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug {
    text: Box<str>,
}

impl Slug {
    /// The longest, in bytes.
    pub const MAX: usize = 64;

    /// The slug, if the text is one.
    ///
    /// # Errors
    ///
    /// With the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, Refused> {
        Self::from_text(text)
    }
}

impl FromText for Slug {
    const WHAT: &'static str = "slug";

    fn from_text(text: &str) -> Result<Self, Refused> {
        let refuse = |rule| Err(Refused::new(Self::WHAT, rule));
        if text.len() > Self::MAX {
            return refuse("is too long");
        }
        let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if !text.bytes().all(|b| is_letter(b) || b == b'-') {
            return refuse("has other characters than a-z, 0-9 and hyphens");
        }
        if text.split('-').any(str::is_empty) {
            return refuse("is empty, or has a hyphen at an end or beside another");
        }
        Ok(Self { text: text.into() })
    }
}

text_type! {
    [] Slug, "Slug",
    schema: {
        "maxLength": Slug::MAX,
        "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
    }
}
