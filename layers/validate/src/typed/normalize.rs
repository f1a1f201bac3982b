//! What changes the texts of a field while they are read, before they are judged.
//!
//! So a length is that of what is kept, and not of what was sent. Nothing here but `sanitized`, which one has to ask for,
//! takes characters out: what a text must not have is refused, and what a place where it is shown must not have is escaped there.
//!
//! ```
//! use bartizan_validate::typed::normalize;
//! #[derive(serde::Deserialize)]
//! struct Tagged {
//!     #[serde(deserialize_with = "normalize::trimmed")]
//!     title: String,
//!     #[serde(default, deserialize_with = "normalize::lowercase")]
//!     tags: Vec<String>,
//! }
//! let tagged: Tagged = serde_json::from_str(r#"{"title":" A b ","tags":["NEW"]}"#)?;
//! assert_eq!((&*tagged.title, &*tagged.tags), ("A b", &["new".to_owned()][..]));
//! # Ok::<(), serde_json::Error>(())
//! ```

use serde::{Deserialize, Deserializer};
use unicode_normalization::UnicodeNormalization as _;

/// A text, or several.
pub trait Texts {
    /// Changes each.
    fn change(&mut self, change: &mut dyn FnMut(&mut String));
}

impl Texts for String {
    fn change(&mut self, change: &mut dyn FnMut(&mut String)) {
        change(self);
    }
}

impl<T: Texts> Texts for Option<T> {
    fn change(&mut self, change: &mut dyn FnMut(&mut String)) {
        self.iter_mut().for_each(|text| text.change(change));
    }
}

impl<T: Texts> Texts for Vec<T> {
    fn change(&mut self, change: &mut dyn FnMut(&mut String)) {
        self.iter_mut().for_each(|text| text.change(change));
    }
}

/// Without white space at both ends.
///
/// # Errors
///
/// Those of the deserializer.
pub fn trimmed<'de, D: Deserializer<'de>, T: Deserialize<'de> + Texts>(
    from: D,
) -> Result<T, D::Error> {
    changed(from, |text| *text = text.trim().to_owned())
}

/// In lower case, of all scripts.
///
/// # Errors
///
/// Those of the deserializer.
pub fn lowercase<'de, D: Deserializer<'de>, T: Deserialize<'de> + Texts>(
    from: D,
) -> Result<T, D::Error> {
    changed(from, |text| *text = text.to_lowercase())
}

/// Each line break as one line feed.
///
/// # Errors
///
/// Those of the deserializer.
pub fn line_feeds<'de, D: Deserializer<'de>, T: Deserialize<'de> + Texts>(
    from: D,
) -> Result<T, D::Error> {
    changed(from, |text| {
        *text = text.replace("\r\n", "\n").replace('\r', "\n");
    })
}

/// In Unicode's normal form C, so that texts that look alike by composition are alike.
///
/// # Errors
///
/// Those of the deserializer.
pub fn nfc<'de, D: Deserializer<'de>, T: Deserialize<'de> + Texts>(from: D) -> Result<T, D::Error> {
    changed(from, |text| *text = text.nfc().collect())
}

/// HTML made clean, as [`SafeHtml::sanitized`](crate::safe::html::SafeHtml::sanitized) does: what is not admitted is lost.
///
/// ```
/// use bartizan_validate::{safe::html::SafeHtml, typed::normalize};
/// #[derive(serde::Deserialize)]
/// struct Posted {
///     #[serde(deserialize_with = "normalize::sanitized")]
///     body: SafeHtml<200>,
/// }
/// let posted: Posted = serde_json::from_str(r#"{"body":"<p onclick=a()>Hi<script>a()</script>"}"#)?;
/// assert_eq!(posted.body.as_str(), "<p>Hi</p>");
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
///
/// Those of the deserializer, and if it is too long, before or after, or too intricate.
#[cfg(feature = "html")]
pub fn sanitized<'de, D: Deserializer<'de>, const MAX: usize>(
    from: D,
) -> Result<crate::safe::html::SafeHtml<MAX>, D::Error> {
    let text = String::deserialize(from)?;
    crate::safe::html::SafeHtml::sanitized(&text).map_err(serde::de::Error::custom)
}

fn changed<'de, D: Deserializer<'de>, T: Deserialize<'de> + Texts>(
    from: D,
    mut change: impl FnMut(&mut String),
) -> Result<T, D::Error> {
    let mut texts = T::deserialize(from)?;
    texts.change(&mut change);
    Ok(texts)
}
