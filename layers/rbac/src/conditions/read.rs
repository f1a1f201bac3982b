//! The members of an object that are asked for, found in one pass and without taking from the heap.

use bartizan_core::call::{Tokens, folded};

use crate::lists::json::Broken;

/// A name that is asked for.
#[derive(Debug)]
pub(super) struct Name {
    exact: Box<str>,
    /// As parsers that ignore case have it.
    folded: Box<str>,
}

/// Which of the names that are asked for a member has: a bit for each.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    pub(super) same: u64,
    /// Those from which it differs only in case.
    pub(super) alike: u64,
}

impl Name {
    pub(super) fn new(name: &str) -> Self {
        Self {
            exact: name.into(),
            folded: folded(name).collect::<String>().into(),
        }
    }

    /// The marks of a member, if this name has that bit.
    pub(super) fn marks(&self, key: &str, bit: u64) -> Marks {
        let same = *self.exact == *key;
        let alike = !same && self.is_like(key);
        Marks {
            same: if same { bit } else { 0 },
            alike: if alike { bit } else { 0 },
        }
    }

    fn is_like(&self, key: &str) -> bool {
        if key.is_ascii() && self.folded.is_ascii() {
            return key.eq_ignore_ascii_case(&self.folded);
        }
        folded(key).eq(self.folded.chars())
    }
}

/// Walks an object, which is all of the text, and hands on the values that have marks. Tells which names
/// were there, and which of them twice or in another case too.
///
/// Other members may be there twice: nobody asks for them.
pub(super) fn members<'j>(
    text: &'j str,
    mark: impl Fn(&str) -> Marks,
    mut take: impl FnMut(u64, &'j str),
) -> Result<Members, Broken> {
    let mut json = Tokens::of(text);
    let mut found = Members::default();
    json.object(mark, |json, marks| {
        let value = json.value()?;
        found.doubtful |= marks.alike | (marks.same & found.seen);
        found.seen |= marks.same;
        take(marks.same, value);
        Ok::<_, Broken>(())
    })?;
    json.end()?;
    Ok(found)
}

/// What [`members`] found of the names that were asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Members {
    pub(super) seen: u64,
    pub(super) doubtful: u64,
}

/// The one member of this name; `None` if there is none.
pub(super) fn member<'j>(text: &'j str, name: &Name) -> Result<Option<&'j str>, Broken> {
    let mut value = None;
    let mark = |key: &str| name.marks(key, 1);
    let found = members(text, mark, |same, text| {
        if same != 0 {
            value = Some(text);
        }
    })?;
    if found.doubtful != 0 {
        return Err(Broken("has a member twice, or in another case too"));
    }
    Ok(value)
}
