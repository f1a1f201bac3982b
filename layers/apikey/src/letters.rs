use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};

/// Base32 (RFC 4648 §6) in small letters and without padding: one text for one value, no character that a
/// double click stops at, and none that a header, a URL or a shell would change.
pub(crate) static LETTERS: LazyLock<Encoding> = LazyLock::new(|| {
    let mut letters = Specification::new();
    letters.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    #[expect(clippy::expect_used, reason = "a constant, which the tests try")]
    letters.encoding().expect("32 different symbols")
});

/// Serializes by `Display` and `FromStr`.
#[cfg(feature = "serde")]
macro_rules! as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

#[cfg(feature = "serde")]
pub(crate) use as_text;
