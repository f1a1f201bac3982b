//! What changes the texts of a field while they are read, before they are judged.
//!
//! So a length is that of what is kept, and not of what was sent. Nothing here takes characters out: what a text
//! must not have is refused, and what a place where it is shown must not have is escaped there.
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

fn changed<'de, D: Deserializer<'de>, T: Deserialize<'de> + Texts>(
    from: D,
    mut change: impl FnMut(&mut String),
) -> Result<T, D::Error> {
    let mut texts = T::deserialize(from)?;
    texts.change(&mut change);
    Ok(texts)
}
