use std::{collections::HashSet, hash::BuildHasher, ops::Range, sync::LazyLock};

use foldhash::quality::RandomState;
use jiter::{Jiter, Peek};

use super::{CallLimits, body::too_large};
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
/// Grammar, escapes and lone surrogates are the parser's business, numbers stay text. Repeated
/// members are found by hashes of the unescaped keys, under a random seed. Two keys that collide
/// are taken for one, so a collision refuses its sender's message and never lets one pass.
pub(super) struct Walker<'j> {
    parser: Jiter<'j>,
    limits: &'j CallLimits,
    hashes: Vec<u64>,
    depth: usize,
    pub(super) measures: Measures,
}

static KEY_HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// Below this many members a look along the earlier ones is faster than a set.
const LINEAR: usize = 16;

/// The members seen so far of an object that is being read.
pub(super) struct Object {
    start: usize,
    count: usize,
    set: HashSet<u64>,
}

impl<'j> Walker<'j> {
    /// `text` must be UTF-8, which the caller checked.
    pub(super) fn new(text: &'j str, limits: &'j CallLimits) -> Self {
        Self {
            parser: Jiter::new(text.as_bytes()),
            limits,
            hashes: Vec::with_capacity(LINEAR),
            depth: 0,
            measures: Measures {
                bytes: text.len(),
                ..Measures::default()
            },
        }
    }

    pub(super) fn peek(&mut self) -> Result<Peek, Denial> {
        self.parser.peek().map_err(|_| malformed("broken JSON"))
    }

    /// Where the walk stands in the text.
    pub(super) fn position(&self) -> usize {
        self.parser.current_index()
    }

    /// The end of the text must follow.
    pub(super) fn finish(mut self) -> Result<Measures, Denial> {
        self.parser
            .finish()
            .map_err(|_| malformed("data after the message"))?;
        Ok(self.measures)
    }

    /// Enters an object, which is what [`peek`](Self::peek) saw, up to its first value.
    pub(super) fn open<T>(
        &mut self,
        key: impl FnOnce(&str) -> T,
    ) -> Result<(Object, Option<T>), Denial> {
        self.descend()?;
        let mut object = Object {
            start: self.hashes.len(),
            count: 0,
            set: HashSet::new(),
        };
        let first = self.parser.known_object().map_err(|_| broken())?;
        let first = first.map(|name| (KEY_HASHES.hash_one(name), key(name)));
        let first = self.admit(&mut object, first)?;
        Ok((object, first))
    }

    /// Goes on to the next member's value; `None` at the end of the object.
    pub(super) fn next<T>(
        &mut self,
        object: &mut Object,
        key: impl FnOnce(&str) -> T,
    ) -> Result<Option<T>, Denial> {
        let next = self.parser.next_key().map_err(|_| broken())?;
        let next = next.map(|name| (KEY_HASHES.hash_one(name), key(name)));
        self.admit(object, next)
    }

    /// The next value, whatever it is, walked to its end: its place in the text.
    pub(super) fn skip(&mut self) -> Result<Range<usize>, Denial> {
        let peek = self.peek()?;
        let start = self.parser.current_index();
        self.walk(peek)?;
        Ok(start..self.parser.current_index())
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
        let peek = self.peek()?;
        if peek != Peek::String {
            self.walk(peek)?;
            return Ok(None);
        }
        let start = self.parser.current_index();
        let value = read(self.parser.known_str().map_err(|_| broken())?);
        self.measure_string(start);
        Ok(Some(value))
    }

    fn walk(&mut self, peek: Peek) -> Result<(), Denial> {
        match peek {
            Peek::Object => {
                let (mut object, mut more) = self.open(|_| ())?;
                while more.is_some() {
                    let peek = self.peek()?;
                    self.walk(peek)?;
                    more = self.next(&mut object, |_| ())?;
                }
                Ok(())
            }
            Peek::Array => self.walk_array(),
            Peek::String => {
                let start = self.parser.current_index();
                self.parser.known_bytes().map_err(|_| broken())?;
                self.measure_string(start);
                Ok(())
            }
            Peek::Null => self.parser.known_null().map_err(|_| broken()),
            Peek::True | Peek::False => {
                self.parser.known_bool(peek).map_err(|_| broken())?;
                Ok(())
            }
            _ => {
                self.parser.known_number_bytes(peek).map_err(|_| broken())?;
                Ok(())
            }
        }
    }

    fn walk_array(&mut self) -> Result<(), Denial> {
        self.descend()?;
        let mut elements = 0;
        let mut next = self.parser.known_array().map_err(|_| broken())?;
        while let Some(peek) = next {
            elements += 1;
            self.walk(peek)?;
            next = self.parser.array_step().map_err(|_| broken())?;
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

    /// Takes note of a member, or closes the object if there is none.
    fn admit<T>(
        &mut self,
        object: &mut Object,
        member: Option<(u64, T)>,
    ) -> Result<Option<T>, Denial> {
        let Some((hash, key)) = member else {
            self.measures.members = self.measures.members.max(object.count);
            self.hashes.truncate(object.start);
            self.depth -= 1;
            return Ok(None);
        };
        object.count += 1;
        if object.count > self.limits.members() {
            return Err(invalid(TOO_MANY_MEMBERS));
        }
        let repeated = if object.count <= LINEAR {
            let earlier = self.hashes.get(object.start..).unwrap_or_default();
            let repeated = earlier.contains(&hash);
            self.hashes.push(hash);
            repeated
        } else {
            if object.set.is_empty() {
                object.set.extend(self.hashes.drain(object.start..));
            }
            !object.set.insert(hash)
        };
        if repeated {
            return Err(invalid("a member is repeated"));
        }
        Ok(Some(key))
    }

    fn measure_string(&mut self, start: usize) {
        let length = self.parser.current_index() - start;
        self.measures.string_bytes = self.measures.string_bytes.max(length);
    }
}

fn broken() -> Denial {
    malformed("broken JSON")
}

pub(super) fn malformed(message: &'static str) -> Denial {
    Denial::new(DenialKind::JsonMalformed, message).with_message(message)
}

pub(super) fn invalid(message: &'static str) -> Denial {
    Denial::new(DenialKind::MessageInvalid, message).with_message(message)
}
