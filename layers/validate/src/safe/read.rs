use std::{fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{Error, Visitor},
};

use super::Refused;

/// A type that is read from text, in one way only.
pub(crate) trait FromText: Sized {
    /// What it is, for [`Refused`].
    const WHAT: &'static str;

    fn from_text(text: &str) -> Result<Self, Refused>;
}

/// Takes a string and nothing else. serde's own messages would repeat what came instead.
struct TextVisitor<T>(PhantomData<T>);

impl<T: FromText> TextVisitor<T> {
    fn is_no_string<E: Error>() -> Result<T, E> {
        Err(E::custom(Refused::new(T::WHAT, "is not a string")))
    }
}

impl<T: FromText> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string that holds a {}", T::WHAT)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(E::custom)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Self::is_no_string()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<T, E> {
        Self::is_no_string()
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<T, E> {
        Self::is_no_string()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<T, E> {
        Self::is_no_string()
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<T, E> {
        Self::is_no_string()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Self::is_no_string()
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<T, E> {
        Self::is_no_string()
    }
}

/// Reads a type from whatever format: one that says itself what comes is not asked for a string, or it would
/// answer what else came in words of its own.
pub(crate) fn read<'de, T: FromText, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let visitor = TextVisitor(PhantomData);
    match deserializer.is_human_readable() {
        true => deserializer.deserialize_any(visitor),
        false => deserializer.deserialize_str(visitor),
    }
}

/// Everything that a type of one private string has: `as_str`, conversions, serde, its schema.
///
/// The type has a field `text: Box<str>` and implements [`FromText`]; `schema` is what its JSON schema
/// says beside `type`, as the members of `schemars::json_schema!`.
macro_rules! text_type {
    (
        [$($generics:tt)*] $type:ty, $name:expr,
        schema: { $($schema:tt)* }
    ) => {
        impl<$($generics)*> $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.text
            }
        }

        impl<$($generics)*> AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.text
            }
        }

        impl<$($generics)*> std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.text)
            }
        }

        impl<$($generics)*> From<$type> for String {
            fn from(safe: $type) -> Self {
                safe.text.into()
            }
        }

        impl<$($generics)*> std::str::FromStr for $type {
            type Err = $crate::safe::Refused;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                <Self as $crate::safe::read::FromText>::from_text(text)
            }
        }

        impl<$($generics)*> TryFrom<&str> for $type {
            type Error = $crate::safe::Refused;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                <Self as $crate::safe::read::FromText>::from_text(text)
            }
        }

        impl<$($generics)*> TryFrom<String> for $type {
            type Error = $crate::safe::Refused;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                <Self as $crate::safe::read::FromText>::from_text(&text)
            }
        }

        impl<$($generics)*> serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.text)
            }
        }

        impl<'de, $($generics)*> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::safe::read::read(deserializer)
            }
        }

        #[cfg(feature = "schemars")]
        impl<$($generics)*> schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", $($schema)* })
            }
        }
    };
}

/// What a type over one string, with a type that only marks it, has in common with the string.
macro_rules! compares_as_text {
    ([$($generics:tt)*] $type:ident<$mark:ident>) => {
        impl<$($generics)*> Clone for $type<$mark> {
            fn clone(&self) -> Self {
                Self {
                    text: self.text.clone(),
                    mark: std::marker::PhantomData,
                }
            }
        }

        impl<$($generics)*> PartialEq for $type<$mark> {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl<$($generics)*> Eq for $type<$mark> {}

        impl<$($generics)*> std::hash::Hash for $type<$mark> {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.text.hash(state);
            }
        }
    };
}

pub(crate) use {compares_as_text, text_type};
