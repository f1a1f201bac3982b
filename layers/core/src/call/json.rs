use std::{collections::HashSet, hash::BuildHasher, ops::Range, sync::LazyLock};

use foldhash::quality::RandomState;

use super::{
    CallLimits,
    body::too_large,
    fault::Fault,
    scan::{Broken, Tokens},
    span::{Span, Text},
};
use crate::{Denial, DenialKind};

/// How large and how deep a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Measures {
    /// Bytes of the body.
    pub bytes: usize,
    /// Deepest nesting; an object in an object is 2.
    pub depth: usize,
    /// Members of the largest object.
    pub members: usize,
    /// Elements of the longest array.
    pub elements: usize,
    /// Bytes of the longest string value as JSON text.
    pub string_bytes: usize,
}

impl Measures {
    /// Whether a body that was read within other limits is within these.
    pub(super) fn fit(&self, limits: &CallLimits) -> Result<(), Denial> {
        if self.bytes > limits.body_bytes() {
            return Err(too_large());
        }
        if self.depth > limits.depth() {
            return Err(Fault::TooDeep.into());
        }
        if self.members > limits.members() {
            return Err(Fault::TooManyMembers.into());
        }
        Ok(())
    }
}

/// Walks JSON text once, and refuses what two parsers could read differently.
///
/// Grammar, escapes and lone surrogates are the tokens' business, numbers stay text. Repeated
/// members are found by what stands for the unescaped keys, see [`mark`].
pub(super) struct Walker<'j> {
    tokens: Tokens<'j>,
    limits: &'j CallLimits,
    depth: usize,
    pub(super) measures: Measures,
}

/// How members begin that are no members to `serde_json`: with its features `raw_value` and
/// `arbitrary_precision`, which any crate of a program can switch on, an object whose first member is
/// such a one *is* the JSON or the number that its text spells, and nobody else read that.
const PRIVATE: &[u8] = b"$serde_json::private::";

/// Below this many members a look along the earlier ones is faster than a set.
const LINEAR: usize = 16;

/// The members seen so far of an object that is being read.
#[derive(Default)]
pub(super) struct Object {
    count: usize,
    /// For each mark one of these is set.
    bits: u64,
    first: [u64; LINEAR],
    /// All of them, once they are many.
    many: Option<HashSet<u64>>,
}

impl<'j> Walker<'j> {
    /// `text` must be UTF-8, which the caller checked.
    pub(super) fn new(text: &'j str, limits: &'j CallLimits) -> Self {
        Self {
            tokens: Tokens::of(text),
            limits,
            depth: 0,
            measures: Measures {
                bytes: text.len(),
                ..Measures::default()
            },
        }
    }

    /// The whole text.
    pub(super) fn text(&self) -> &'j str {
        self.tokens.text
    }

    /// The first byte of the next value, which tells what sort of value it is.
    pub(super) fn peek(&mut self) -> Result<u8, Fault> {
        self.tokens.peek().ok_or(Fault::Broken)
    }

    /// Where the walk stands in the text.
    pub(super) fn position(&self) -> usize {
        self.tokens.position()
    }

    /// The end of the text must follow.
    pub(super) fn finish(mut self) -> Result<Measures, Fault> {
        match self.tokens.peek() {
            None => Ok(self.measures),
            Some(_) => Err(Fault::TrailingData),
        }
    }

    /// Takes the object that comes next, which is what [`peek`](Self::peek) saw. What `key` makes of each
    /// member's name goes to `take`, which takes the value.
    #[inline]
    pub(super) fn object<T>(
        &mut self,
        key: impl Fn(&[u8]) -> T,
        mut take: impl FnMut(&mut Self, T) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.descend()?;
        self.tokens.punctuation();
        let mut object = Object::default();
        let mut next = self.tokens.peek();
        if next == Some(b'}') {
            self.tokens.punctuation();
        } else {
            loop {
                if next != Some(b'"') {
                    return Err(Fault::Broken);
                }
                let key = self.member(&mut object, &key)?;
                take(self, key)?;
                let separator = self.tokens.peek();
                self.tokens.punctuation();
                match separator {
                    Some(b',') => next = self.tokens.peek(),
                    Some(b'}') => break,
                    _ => return Err(Fault::Broken),
                }
            }
        }
        self.measures.members = self.measures.members.max(object.count);
        self.depth -= 1;
        Ok(())
    }

    /// The next value, whatever it is, walked to its end: its place in the text.
    pub(super) fn skip(&mut self) -> Result<Range<usize>, Fault> {
        let first = self.peek()?;
        let start = self.position();
        self.walk(first)?;
        Ok(start..self.position())
    }

    /// The next value as a string of at most `max` bytes, unescaped; `None` if it is something
    /// else or longer, which is walked to its end.
    pub(super) fn string(&mut self, max: usize) -> Result<Option<Text>, Fault> {
        let first = self.peek()?;
        if first != b'"' {
            self.walk(first)?;
            return Ok(None);
        }
        let start = self.position();
        let text = match self.tokens.plain_range() {
            Some(range) => (range.len() <= max).then(|| Text::Plain(Span::of(&range))),
            None => self.tokens.escaped_string(|text| {
                let fits = text.len() <= max;
                fits.then(|| Text::Unescaped(text.into()))
            })?,
        };
        self.measure_string(start);
        Ok(text)
    }

    /// What `read` makes of the next value as an unescaped string; `None` if it is something else,
    /// which is walked to its end.
    pub(super) fn with_string<T>(
        &mut self,
        read: impl FnOnce(&str) -> T,
    ) -> Result<Option<T>, Fault> {
        let first = self.peek()?;
        if first != b'"' {
            self.walk(first)?;
            return Ok(None);
        }
        let start = self.position();
        let value = self.tokens.string(read)?;
        self.measure_string(start);
        Ok(Some(value))
    }

    fn walk(&mut self, first: u8) -> Result<(), Fault> {
        // Half of all values are strings, which are known without a jump that has to be guessed.
        if first == b'"' {
            let start = self.position();
            self.tokens.skip_string()?;
            self.measure_string(start);
            return Ok(());
        }
        match first {
            b'{' => self.walk_object()?,
            b'[' => self.walk_array()?,
            b'n' => self.tokens.literal("null")?,
            b't' => self.tokens.literal("true")?,
            b'f' => self.tokens.literal("false")?,
            _ => self.tokens.skip_number()?,
        }
        Ok(())
    }

    // Apart, so that nothing else makes room for the members.
    #[inline(never)]
    fn walk_object(&mut self) -> Result<(), Fault> {
        self.object(
            |_| (),
            |walker, ()| {
                let first = walker.peek()?;
                walker.walk(first)
            },
        )
    }

    #[inline(never)]
    fn walk_array(&mut self) -> Result<(), Fault> {
        self.descend()?;
        self.tokens.punctuation();
        let mut elements = 0;
        let mut first = self.peek()?;
        if first == b']' {
            self.tokens.punctuation();
        } else {
            loop {
                elements += 1;
                self.walk(first)?;
                let separator = self.peek()?;
                self.tokens.punctuation();
                match separator {
                    b',' => first = self.peek()?,
                    b']' => break,
                    _ => return Err(Fault::Broken),
                }
            }
        }
        self.measures.elements = self.measures.elements.max(elements);
        self.depth -= 1;
        Ok(())
    }

    fn descend(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        self.measures.depth = self.measures.depth.max(self.depth);
        if self.depth > self.limits.depth() {
            return Err(Fault::TooDeep);
        }
        Ok(())
    }

    /// Reads a member up to its value, and takes note of it.
    #[inline]
    fn member<T>(&mut self, object: &mut Object, key: &impl Fn(&[u8]) -> T) -> Result<T, Fault> {
        let (mark, key) = match self.tokens.short_string() {
            Some((name, word)) => {
                let short = (mark_in(word, name.len()), key(name));
                if self.tokens.peek() != Some(b':') {
                    return Err(Fault::Broken);
                }
                short
            }
            None => self.long_name(key)?,
        };
        self.tokens.punctuation();
        if object.count >= self.limits.members() {
            return Err(Fault::TooManyMembers);
        }
        if object.has_or_notes(mark) {
            return Err(Fault::RepeatedMember);
        }
        Ok(key)
    }

    #[inline(never)]
    fn long_name<T>(&mut self, key: &impl Fn(&[u8]) -> T) -> Result<(u64, T), Fault> {
        let read = |name: &[u8]| (mark(name), key(name), name.starts_with(PRIVATE));
        let (mark, key, is_private) = match self.tokens.plain_bytes() {
            Some(name) => read(name),
            None => self.tokens.escaped_string(|name| read(name.as_bytes()))?,
        };
        if self.tokens.peek() != Some(b':') {
            return Err(Fault::Broken);
        }
        match is_private {
            true => Err(Fault::PrivateMember),
            false => Ok((mark, key)),
        }
    }

    fn measure_string(&mut self, start: usize) {
        let length = self.position() - start;
        self.measures.string_bytes = self.measures.string_bytes.max(length);
    }
}

impl Object {
    #[inline]
    fn has_or_notes(&mut self, mark: u64) -> bool {
        // Nearly all members are told apart by a bit.
        let bit = 1 << (mark.wrapping_mul(SPREAD) >> 58);
        let may_have = self.bits & bit != 0;
        self.bits |= bit;
        let Some(free) = self.first.get_mut(self.count) else {
            return self.has_or_notes_among_many(mark);
        };
        *free = mark;
        self.count += 1;
        may_have && self.is_last_repeated()
    }

    #[cold]
    fn is_last_repeated(&self) -> bool {
        let seen = self.first.get(..self.count).and_then(<[u64]>::split_last);
        seen.is_some_and(|(last, earlier)| earlier.contains(last))
    }

    #[inline(never)]
    fn has_or_notes_among_many(&mut self, mark: u64) -> bool {
        self.count += 1;
        let many = self.many.get_or_insert_with(|| self.first.into());
        !many.insert(mark)
    }
}

/// Spreads what differs in few bits: that by which Fibonacci hashing multiplies.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// What stands for a key: itself and a bit where it ends, if it is short, or else its hash under a
/// random seed.
///
/// Two keys that have the same mark are taken for one, so a collision refuses its sender's message
/// and never lets one pass.
fn mark(key: &[u8]) -> u64 {
    if key.len() > FITS {
        return HASHES.hash_one(key);
    }
    let pack = |packed, byte: &u8| packed << 8 | u64::from(*byte);
    key.iter().rev().fold(1, pack)
}

/// The same of a short key: the first so many bytes of a word.
#[inline]
fn mark_in(word: u64, length: usize) -> u64 {
    let end = 1 << (8 * length);
    word & (end - 1) | end
}

/// Longest key that stands for itself.
const FITS: usize = size_of::<u64>() - 1;

impl From<Broken> for Fault {
    #[inline]
    fn from(_: Broken) -> Self {
        Self::Broken
    }
}

#[cold]
pub(super) fn malformed(message: &'static str) -> Denial {
    Denial::new(DenialKind::JsonMalformed, message).with_message(message)
}

#[cold]
pub(super) fn invalid(message: &'static str) -> Denial {
    Denial::new(DenialKind::MessageInvalid, message).with_message(message)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    proptest! {
        #[test]
        fn a_short_key_is_marked_the_same_whatever_follows(
            key in vec(select(&[b'a', 0, 0xff]), 0..=FITS),
            behind: [u8; 8],
        ) {
            let text = [&key[..], &behind].concat();
            let word = u64::from_le_bytes(*text.first_chunk().unwrap());
            prop_assert_eq!(mark_in(word, key.len()), mark(&key));
        }

        #[test]
        fn two_keys_are_marked_the_same_only_if_they_are(
            one in vec(select(&[b'a', 0]), 0..10),
            other in vec(select(&[b'a', 0]), 0..10),
        ) {
            prop_assert_eq!(mark(&one) == mark(&other), one == other);
        }

        #[test]
        fn a_mark_is_noted_once(marks in vec(0..40_u64, 0..40)) {
            let (mut object, mut seen) = (Object::default(), HashSet::new());
            for mark in marks {
                prop_assert_eq!(object.has_or_notes(mark), !seen.insert(mark));
            }
        }
    }
}
