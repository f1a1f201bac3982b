use std::{collections::HashSet, hash::BuildHasher, ops::Range, sync::LazyLock};

use foldhash::quality::RandomState;

use super::{
    CallLimits,
    body::too_large,
    scan::{Broken, Tokens},
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
            return Err(invalid(TOO_DEEP));
        }
        if self.members > limits.members() {
            return Err(invalid(TOO_MANY_MEMBERS));
        }
        Ok(())
    }
}

const TOO_DEEP: &str = "the body is nested too deep";
const TOO_MANY_MEMBERS: &str = "an object has too many members";

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
const PRIVATE: &str = "$serde_json::private::";

/// Below this many members a look along the earlier ones is faster than a set.
const LINEAR: usize = 16;

/// The members seen so far of an object that is being read.
#[derive(Default)]
pub(super) struct Object {
    count: usize,
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

    /// The first byte of the next value, which tells what sort of value it is.
    pub(super) fn peek(&mut self) -> Result<u8, Denial> {
        self.tokens.peek().ok_or_else(broken)
    }

    /// Where the walk stands in the text.
    pub(super) fn position(&self) -> usize {
        self.tokens.position()
    }

    /// The end of the text must follow.
    pub(super) fn finish(mut self) -> Result<Measures, Denial> {
        match self.tokens.peek() {
            None => Ok(self.measures),
            Some(_) => Err(malformed("data after the message")),
        }
    }

    /// Enters an object, which is what [`peek`](Self::peek) saw, up to its first value.
    pub(super) fn open<T>(
        &mut self,
        object: &mut Object,
        key: impl FnOnce(&str) -> T,
    ) -> Result<Option<T>, Denial> {
        self.descend()?;
        self.tokens.punctuation();
        match self.tokens.peek() {
            Some(b'"') => self.member(object, key).map(Some),
            Some(b'}') => Ok(self.close(object)),
            _ => Err(broken()),
        }
    }

    /// Goes on to the next member's value; `None` at the end of the object.
    pub(super) fn next<T>(
        &mut self,
        object: &mut Object,
        key: impl FnOnce(&str) -> T,
    ) -> Result<Option<T>, Denial> {
        match self.tokens.peek() {
            Some(b',') => self.tokens.punctuation(),
            Some(b'}') => return Ok(self.close(object)),
            _ => return Err(broken()),
        }
        match self.tokens.peek() {
            Some(b'"') => self.member(object, key).map(Some),
            _ => Err(broken()),
        }
    }

    /// The next value, whatever it is, walked to its end: its place in the text.
    pub(super) fn skip(&mut self) -> Result<Range<usize>, Denial> {
        let first = self.peek()?;
        let start = self.position();
        self.walk(first)?;
        Ok(start..self.position())
    }

    /// The next value as a string of at most `max` bytes, unescaped; `None` if it is something
    /// else or longer, which is walked to its end.
    pub(super) fn string(&mut self, max: usize) -> Result<Option<Box<str>>, Denial> {
        let text = self.with_string(|text| (text.len() <= max).then(|| text.into()))?;
        Ok(text.flatten())
    }

    /// What `read` makes of the next value as an unescaped string; `None` if it is something else,
    /// which is walked to its end.
    pub(super) fn with_string<T>(
        &mut self,
        read: impl FnOnce(&str) -> T,
    ) -> Result<Option<T>, Denial> {
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

    fn walk(&mut self, first: u8) -> Result<(), Denial> {
        match first {
            b'{' => {
                let mut object = Object::default();
                let mut more = self.open(&mut object, |_| ())?;
                while more.is_some() {
                    let first = self.peek()?;
                    self.walk(first)?;
                    more = self.next(&mut object, |_| ())?;
                }
            }
            b'[' => self.walk_array()?,
            b'"' => {
                let start = self.position();
                self.tokens.skip_string()?;
                self.measure_string(start);
            }
            b'n' => self.tokens.literal("null")?,
            b't' => self.tokens.literal("true")?,
            b'f' => self.tokens.literal("false")?,
            _ => self.tokens.skip_number()?,
        }
        Ok(())
    }

    fn walk_array(&mut self) -> Result<(), Denial> {
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
                    _ => return Err(broken()),
                }
            }
        }
        self.measures.elements = self.measures.elements.max(elements);
        self.depth -= 1;
        Ok(())
    }

    fn descend(&mut self) -> Result<(), Denial> {
        self.depth += 1;
        self.measures.depth = self.measures.depth.max(self.depth);
        if self.depth > self.limits.depth() {
            return Err(invalid(TOO_DEEP));
        }
        Ok(())
    }

    /// Reads a member up to its value, and takes note of it.
    fn member<T>(&mut self, object: &mut Object, key: impl FnOnce(&str) -> T) -> Result<T, Denial> {
        let read = |name: &str| (mark(name), key(name), name.starts_with(PRIVATE));
        let (mark, key, is_private) = self.tokens.string(read)?;
        if self.tokens.peek() != Some(b':') {
            return Err(broken());
        }
        if is_private {
            return Err(invalid(
                "a member has a name that parsers keep to themselves",
            ));
        }
        self.tokens.punctuation();
        if object.count >= self.limits.members() {
            return Err(invalid(TOO_MANY_MEMBERS));
        }
        if object.has_or_notes(mark) {
            return Err(invalid("a member is repeated"));
        }
        Ok(key)
    }

    fn close<T>(&mut self, object: &Object) -> Option<T> {
        self.tokens.punctuation();
        self.measures.members = self.measures.members.max(object.count);
        self.depth -= 1;
        None
    }

    fn measure_string(&mut self, start: usize) {
        let length = self.position() - start;
        self.measures.string_bytes = self.measures.string_bytes.max(length);
    }
}

impl Object {
    fn has_or_notes(&mut self, mark: u64) -> bool {
        let Some(free) = self.first.get_mut(self.count) else {
            self.count += 1;
            let many = self.many.get_or_insert_with(|| self.first.into());
            return !many.insert(mark);
        };
        *free = mark;
        let earlier = self.first.iter().take(self.count);
        self.count += 1;
        earlier.into_iter().any(|earlier| *earlier == mark)
    }
}

static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// What stands for a key: itself and its length, if it is short, or else its hash under a random
/// seed.
///
/// Two keys that have the same mark are taken for one, so a collision refuses its sender's message
/// and never lets one pass.
fn mark(key: &str) -> u64 {
    const FITS: usize = size_of::<u64>() - 1;
    if key.len() > FITS {
        return HASHES.hash_one(key);
    }
    let pack = |packed, byte| packed << 8 | u64::from(byte);
    key.bytes().fold(key.len() as u64, pack)
}

impl From<Broken> for Denial {
    fn from(_: Broken) -> Self {
        broken()
    }
}

#[cold]
fn broken() -> Denial {
    malformed("broken JSON")
}

#[cold]
pub(super) fn malformed(message: &'static str) -> Denial {
    Denial::new(DenialKind::JsonMalformed, message).with_message(message)
}

#[cold]
pub(super) fn invalid(message: &'static str) -> Denial {
    Denial::new(DenialKind::MessageInvalid, message).with_message(message)
}
