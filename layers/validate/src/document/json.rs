//! The document as the schema library walks through it.

use std::{borrow::Cow, sync::OnceLock};

use jsonschema::{
    JsonType,
    json::{Array, Json, JsonNumber, Node, NodeIdentity, Object},
};
use jsonschema_value::LazyInstance;
use serde_json::Value;

use super::{Document, Number, Slot, What};

/// What schemas are compiled for: documents.
#[derive(Debug)]
pub(crate) enum Arguments {}

/// A value of a document, or the name of a member where names are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part<'a> {
    Value { of: &'a Document<'a>, at: usize },
    Name(&'a str),
}

impl Json for Arguments {
    type Node<'a> = Part<'a>;
    type PreparedKey = Box<str>;
    type StringBuffer = ();

    // To look a member up is to walk along the members.
    const KEYS_PER_LOOKUP: usize = 1 << 20;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Part<'_>) -> T) -> T {
        f(Part::Name(string))
    }
}

impl<'a> Document<'a> {
    /// The whole of it.
    pub(crate) fn root(&'a self) -> Part<'a> {
        Part::Value { of: self, at: 0 }
    }
}

impl<'a> Part<'a> {
    fn slot(self) -> Option<(&'a Document<'a>, Slot)> {
        match self {
            Self::Value { of, at } => Some((of, of.slot(at))),
            Self::Name(_) => None,
        }
    }

    /// The text that it is or has.
    fn text(self) -> Option<&'a str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Value { of, at } => {
                let slot = of.slot(at);
                matches!(slot.what, What::Plain | What::Escaped).then(|| of.string(slot))
            }
        }
    }

    fn what(self) -> Option<What> {
        self.slot().map(|(_, slot)| slot.what)
    }
}

impl<'a> Node<'a, Arguments> for Part<'a> {
    type Object = Members<'a>;
    type Array = Elements<'a>;
    type Number = Figure<'a>;

    fn as_object(&self) -> Option<Members<'a>> {
        match *self {
            Self::Value { of, at } => {
                let slot = of.slot(at);
                let What::Object(count) = slot.what else {
                    return None;
                };
                Some(Members {
                    of,
                    at: at + 1,
                    left: count as usize,
                    sorted: slot.start as usize,
                })
            }
            Self::Name(_) => None,
        }
    }

    fn as_array(&self) -> Option<Elements<'a>> {
        match *self {
            Self::Value { of, at } => match of.slot(at).what {
                What::Array(count) => Some(Elements {
                    of,
                    at: at + 1,
                    left: count as usize,
                }),
                _ => None,
            },
            Self::Name(_) => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.text().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<Figure<'a>> {
        let (of, slot) = self.slot()?;
        match slot.what {
            What::Number(number) => {
                let text = of.text.get(slot.start as usize..slot.end as usize);
                Some(Figure {
                    number,
                    text: text.unwrap_or_default(),
                })
            }
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.what() {
            Some(What::Boolean(value)) => Some(value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self.what(), Some(What::Null))
    }

    fn is_number(&self) -> bool {
        matches!(self.what(), Some(What::Number(_)))
    }

    fn json_type(&self) -> JsonType {
        match self.what() {
            None | Some(What::Plain | What::Escaped) => JsonType::String,
            Some(What::Null) => JsonType::Null,
            Some(What::Boolean(_)) => JsonType::Boolean,
            Some(What::Number(_)) => JsonType::Number,
            Some(What::Array(_)) => JsonType::Array,
            Some(What::Object(_)) => JsonType::Object,
        }
    }

    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        let text = self.text()?;
        // A character has one to four bytes.
        let bytes = text.len() as u64;
        let fewest = bytes.div_ceil(4);
        if bytes < min || fewest > max {
            return Some(false);
        }
        if min <= fewest && bytes <= max {
            return Some(true);
        }
        Some((min..=max).contains(&(text.chars().count() as u64)))
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match expected {
            Value::Null => self.is_null(),
            Value::Bool(value) => self.as_boolean() == Some(*value),
            Value::String(text) => self.text() == Some(text),
            Value::Number(number) => self
                .as_number()
                .is_some_and(|own| jsonschema::json::cmp::equal_numbers(&own, number)),
            Value::Array(values) => self.as_array().is_some_and(|own| {
                own.len() == values.len()
                    && own.zip(values).all(|(own, value)| own.equals_value(value))
            }),
            Value::Object(values) => self.as_object().is_some_and(|own| {
                own.len() == values.len()
                    && own.members().all(|(name, own)| {
                        let value = values.get(name);
                        value.is_some_and(|value| own.equals_value(value))
                    })
            }),
        }
    }

    /// Nothing that is decided asks for it; what an error would show is not shown.
    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(match self.what() {
            None => Value::String(self.text().unwrap_or_default().to_owned()),
            Some(What::Plain | What::Escaped) => {
                Value::String(self.text().unwrap_or_default().to_owned())
            }
            Some(What::Boolean(value)) => Value::Bool(value),
            Some(What::Number(number)) => Value::Number(number.to_serde()),
            Some(What::Array(_)) => {
                let own = self.as_array().into_iter().flatten();
                own.map(|own| own.to_value().into_owned()).collect()
            }
            Some(What::Object(_)) => {
                let own = self.as_object().into_iter().flat_map(|own| own.members());
                own.map(|(name, own)| (name.to_owned(), own.to_value().into_owned()))
                    .collect()
            }
            Some(What::Null) => Value::Null,
        })
    }

    /// Errors keep nothing of the caller's.
    fn lazy_value(&self) -> LazyInstance<'a> {
        LazyInstance::Deferred {
            bytes: &[],
            tag: 0,
            make: |_, _| Value::Null,
            cell: OnceLock::new(),
        }
    }

    fn identity(&self) -> Option<NodeIdentity> {
        match *self {
            Self::Value { of, at } => {
                let address = std::ptr::from_ref(of).addr();
                Some(NodeIdentity::tagged(address, u32::try_from(at).ok()?))
            }
            Self::Name(_) => None,
        }
    }
}

/// The members of an object, from one on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members<'a> {
    of: &'a Document<'a>,
    at: usize,
    left: usize,
    /// Where in the index its names are sorted; 0 if they are not.
    sorted: usize,
}

impl<'a> Object<'a, Arguments> for Members<'a> {
    type Node = Part<'a>;
    type MemberName = &'a str;
    type MembersIter = Self;

    fn len(&self) -> usize {
        self.left
    }

    fn get(&self, key: &Box<str>) -> Option<Part<'a>> {
        if self.sorted > 0 {
            let from = self.sorted - 1;
            let names = self.of.sorted.get(from..from + self.left)?;
            let name = |at: &u32| self.of.string(self.of.slot(*at as usize));
            let place = names.binary_search_by(|at| name(at).cmp(key)).ok()?;
            let at = *names.get(place)? as usize + 1;
            return Some(Part::Value { of: self.of, at });
        }
        let mut members = *self;
        let found = members.find(|(name, _)| *name == &**key);
        found.map(|(_, value)| value)
    }

    fn members(&self) -> Self {
        *self
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Part<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = self.of.string(self.of.slot(self.at));
        let at = self.at + 1;
        self.at = self.of.behind(at);
        Some((name, Part::Value { of: self.of, at }))
    }
}

/// The elements of an array, from one on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Elements<'a> {
    of: &'a Document<'a>,
    at: usize,
    left: usize,
}

impl Elements<'_> {
    pub(super) fn size(&self) -> usize {
        self.left
    }
}

impl<'a> Array<'a, Arguments> for Elements<'a> {
    type Node = Part<'a>;
    type ElementsIter = Self;

    fn len(&self) -> usize {
        self.left
    }

    fn elements(&self) -> Self {
        *self
    }

    fn is_unique(&self) -> bool {
        super::unique::are_unique(*self)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        self.left = self.left.checked_sub(1)?;
        let at = self.at;
        self.at = self.of.behind(at);
        Some(Part::Value { of: self.of, at })
    }
}

/// A number with its text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure<'a> {
    number: Number,
    text: &'a str,
}

impl JsonNumber for Figure<'_> {
    fn as_u64(&self) -> Option<u64> {
        match self.number {
            Number::Unsigned(value) => Some(value),
            _ => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        match self.number {
            Number::Unsigned(value) => i64::try_from(value).ok(),
            Number::Negative(value) => Some(value),
            Number::Float(_) => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        Some(self.number.as_f64())
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.text)
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(self.number.to_serde())
    }

    fn is_integer(&self) -> bool {
        match self.number {
            Number::Float(value) => value.fract() == 0.0,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ArgumentLimits;

    #[test]
    fn a_document_says_what_the_library_relies_on() {
        let text = jsonschema::json::conformance::document().to_string();
        let document = Document::read(&text, &ArgumentLimits::new()).unwrap();
        jsonschema::json::conformance::assert_conformance::<Arguments>(&document.root());
    }

    #[test]
    fn members_are_found_among_few_and_among_many() {
        for count in [1, 16, 17, 100] {
            let members: Vec<_> = (0..count)
                .map(|n| format!(r#""m{n}":[{n},{{"m0":"in"}}]"#))
                .collect();
            let text = format!("{{{}}}", members.join(","));
            let document = Document::read(&text, &ArgumentLimits::new()).unwrap();
            let object = document.root().as_object().unwrap();
            assert_eq!(object.members().count(), count);
            for n in 0..count {
                let member = object.get(&format!("m{n}").into()).unwrap();
                let first = member.as_array().unwrap().next().unwrap();
                assert_eq!(first.as_number().unwrap().as_u64(), Some(n as u64));
            }
            assert!(object.get(&"m".into()).is_none());
        }
    }
}
