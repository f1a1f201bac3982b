//! What conditions are made of, as files hold it.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer},
};

use super::{Literal, LiteralKind, Number};

/// Where a value stands: the names that lead to it. A text is one name, and `true` is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberPath(Vec<String>);

impl MemberPath {
    /// The path of these names.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(str::to_owned).collect())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(super) fn first(&self) -> &str {
        self.0.first().map_or("", |name| name)
    }
}

impl Serialize for MemberPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            [] => serializer.serialize_bool(true),
            [name] => serializer.serialize_str(name),
            names => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for MemberPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = MemberPath;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<MemberPath, E> {
                if value {
                    Ok(MemberPath::default())
                } else {
                    Err(E::custom("`false` says nothing"))
                }
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<MemberPath, E> {
                Ok(MemberPath::new([name]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, names: A) -> Result<MemberPath, A::Error> {
                let names = Vec::deserialize(SeqAccessDeserializer::new(names))?;
                if names.is_empty() {
                    return Err(A::Error::custom("a list of no names"));
                }
                Ok(MemberPath(names))
            }
        }

        deserializer.deserialize_any(Names)
    }
}

impl Serialize for Literal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            LiteralKind::Text(text) => serializer.serialize_str(text),
            LiteralKind::Bool(value) => serializer.serialize_bool(*value),
        }
    }
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrBool;

        impl Visitor<'_> for TextOrBool {
            type Value = Literal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a truth value (of numbers say `at_least` and `at_most`)")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Literal, E> {
                Ok(value.into())
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Literal, E> {
                Ok(text.into())
            }
        }

        deserializer.deserialize_any(TextOrBool)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(integer) = self.0.parse() {
            return serializer.serialize_i64(integer);
        }
        match self.0.parse() {
            Ok(integer) => serializer.serialize_u64(integer),
            Err(_) => serializer.serialize_f64(self.0.parse().unwrap_or(f64::NAN)),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNumber;

        impl Visitor<'_> for AnyNumber {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
                Ok(value.into())
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
                Ok(value.into())
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
                Ok(value.into())
            }
        }

        // Said to be a float, so that no feature of a format makes something else of it.
        deserializer.deserialize_f64(AnyNumber)
    }
}
