use std::{collections::HashSet, hash::BuildHasher, sync::LazyLock};

use bartizan_core::call::{self, Tokens, is_alike};
use foldhash::quality::RandomState;

/// Why a message cannot be filtered, for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) &'static str);

impl From<call::Broken> for Broken {
    fn from(_: call::Broken) -> Self {
        NOT_JSON
    }
}

pub(crate) const NOT_JSON: Broken = Broken("is not JSON");

/// Walks the object that comes next. `take` takes each member's value: a known one by its place, or
/// another.
///
/// A member that is repeated, and one that differs from a known one only in case, is an error: a
/// client might read it otherwise (TA-4).
pub(crate) fn object<'j>(
    json: &mut Tokens<'j>,
    seen: &mut Seen,
    known: &[&str],
    mut take: impl FnMut(&mut Tokens<'j>, Option<usize>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    is_next(json, b'{')?;
    seen.forget();
    json.object(
        |key| (mark(key), place(key, known)),
        |json, (mark, place)| {
            if !seen.is_new(mark) {
                return Err(Broken("has a member twice"));
            }
            take(json, place?)
        },
    )
}

/// Walks the array that comes next. `take` takes each element, at whose first byte the text stands.
pub(crate) fn array<'j>(
    json: &mut Tokens<'j>,
    take: impl FnMut(&mut Tokens<'j>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    is_next(json, b'[')?;
    json.array(take)
}

/// What `read` makes of the string that comes next.
pub(crate) fn string<T>(json: &mut Tokens<'_>, read: impl FnOnce(&str) -> T) -> Result<T, Broken> {
    match json.peek() {
        Some(b'"') => Ok(json.string(read)?),
        Some(_) => Err(Broken("has something else where a string should be")),
        None => Err(NOT_JSON),
    }
}

fn is_next(json: &mut Tokens<'_>, begin: u8) -> Result<(), Broken> {
    match json.peek() {
        Some(first) if first == begin => Ok(()),
        Some(_) => Err(Broken(
            "has something else where a list or an object should be",
        )),
        None => Err(NOT_JSON),
    }
}

fn place(key: &str, known: &[&str]) -> Result<Option<usize>, Broken> {
    if let Some(place) = known.iter().position(|name| key == *name) {
        return Ok(Some(place));
    }
    if known.iter().any(|name| is_alike(key, name)) {
        return Err(Broken(
            "has a member that differs from a known one only in case",
        ));
    }
    Ok(None)
}

/// The members of the object that is being walked.
#[derive(Default)]
pub(crate) struct Seen {
    few: Vec<u64>,
    /// All of them, once they are many.
    many: HashSet<u64>,
}

/// Up to this many members a look along the earlier ones is faster than a set.
const FEW: usize = 16;
/// A larger set is not kept for the next object.
const MANY: usize = 1024;

impl Seen {
    fn forget(&mut self) {
        self.few.clear();
        // To empty a set costs as much as it is large, for each small object after a large one.
        if self.many.capacity() > MANY {
            self.many = HashSet::new();
        }
        self.many.clear();
    }

    fn is_new(&mut self, mark: u64) -> bool {
        if self.few.len() < FEW {
            let is_new = !self.few.contains(&mark);
            self.few.push(mark);
            return is_new;
        }
        if self.many.is_empty() {
            self.many.extend(&self.few);
        }
        self.many.insert(mark)
    }
}

/// What stands for a key. The hash is keyed by chance, so nobody can find two keys of one mark.
fn mark(key: &str) -> u64 {
    static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    KEYED.hash_one(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(text: &str) -> Result<usize, Broken> {
        let mut json = Tokens::of(text);
        let mut found = 0;
        object(
            &mut json,
            &mut Seen::default(),
            &["tools"],
            |json, place| {
                found += usize::from(place.is_some());
                Ok(json.skip()?)
            },
        )?;
        assert_eq!(json.peek(), None);
        Ok(found)
    }

    #[test]
    fn ta_4_a_repeated_member_is_an_error_however_it_is_written_and_however_many_there_are() {
        assert_eq!(walk(r#"{"tools":1,"x":{"tools":2}}"#), Ok(1));
        assert!(walk(r#"{"tools":1,"t\u006fols":2}"#).is_err());
        assert!(walk(r#"{"x":1,"x":2}"#).is_err());
        let many = |last: usize| {
            let members: Vec<_> = (0..40)
                .chain([last])
                .map(|n| format!("\"{n}\":0"))
                .collect();
            format!("{{{}}}", members.join(","))
        };
        assert_eq!(walk(&many(40)), Ok(0));
        for last in [0, 15, 16, 17, 39] {
            assert!(walk(&many(last)).is_err(), "{last}");
        }
    }

    #[test]
    fn what_a_large_object_took_is_not_kept_for_the_next() {
        let members: Vec<_> = (0..3 * MANY).map(|n| format!("\"{n}\":0")).collect();
        let mut seen = Seen::default();
        for text in [
            format!("{{{}}}", members.join(",")),
            r#"{"a":0}"#.to_owned(),
        ] {
            let mut json = Tokens::of(&text);
            object(&mut json, &mut seen, &[], |json, _| Ok(json.skip()?)).unwrap();
        }
        assert!(seen.many.capacity() <= MANY);
    }

    #[test]
    fn ta_4_a_member_that_is_known_but_for_its_case_is_an_error() {
        for text in [r#"{"Tools":1}"#, r#"{"TOOLS":1}"#, r#"{"tool\u017f":1}"#] {
            assert!(walk(text).is_err(), "{text}");
        }
        assert_eq!(walk(r#"{"toolé":1,"tool":1}"#), Ok(0));
    }
}
