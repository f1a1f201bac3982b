use std::{cell::Cell, collections::HashSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How large a document is, by a reader that shares nothing with the one under test.
#[derive(Debug, Default)]
pub(crate) struct Size {
    pub(crate) depth: Cell<usize>,
    pub(crate) members: Cell<usize>,
    pub(crate) elements: Cell<usize>,
    /// Whether two members of one object have the same name.
    pub(crate) repeats: Cell<bool>,
    /// Whether a member has a name that serde_json gives a meaning of its own.
    pub(crate) private: Cell<bool>,
}

impl Size {
    /// Measures a document; an error if it is no JSON, or has a number that no `f64` holds.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let size = Self::default();
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        Node {
            size: &size,
            depth: 0,
        }
        .deserialize(&mut reader)?;
        reader.end()?;
        Ok(size)
    }
}

/// One value of the document, `depth` objects and arrays below the top.
#[derive(Clone, Copy)]
struct Node<'s> {
    size: &'s Size,
    depth: usize,
}

impl Node<'_> {
    fn below(self) -> Self {
        let depth = self.depth + 1;
        grow(&self.size.depth, depth);
        Self { depth, ..self }
    }
}

fn grow(most: &Cell<usize>, seen: usize) {
    most.set(most.get().max(seen));
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let below = self.below();
        let mut names = HashSet::new();
        let mut count = 0;
        while let Some(name) = map.next_key::<String>()? {
            count += 1;
            if name.starts_with("$serde_json::private::") {
                self.size.private.set(true);
            }
            if !names.insert(name) {
                self.size.repeats.set(true);
            }
            map.next_value_seed(below)?;
        }
        grow(&self.size.members, count);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let below = self.below();
        let mut count = 0;
        while seq.next_element_seed(below)?.is_some() {
            count += 1;
        }
        grow(&self.size.elements, count);
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}
