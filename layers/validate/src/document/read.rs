use std::borrow::Cow;

use bartizan_core::call::{Broken, Tokens};

use super::{
    Document, Slot, What,
    number::{Number, Unreadable},
};
use crate::{
    ArgumentLimits,
    violation::{Violation, prepend},
};

/// Why text is not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// No JSON.
    Broken,
    /// Beyond a limit.
    Limit(Box<Violation>),
}

impl From<Broken> for Refused {
    fn from(_: Broken) -> Self {
        Self::Broken
    }
}

impl<'j> Document<'j> {
    /// Reads JSON text within limits. What repeats a member is for others to refuse: of arguments the
    /// reading of the call did.
    pub(crate) fn read(text: &'j str, limits: &ArgumentLimits) -> Result<Self, Refused> {
        let mut reading = Reading {
            tokens: Tokens::of(text),
            limits,
            document: Document {
                text,
                slots: Vec::with_capacity(slots_of(text)),
                unescaped: String::new(),
                sorted: Vec::new(),
                values: 0,
                depth: 0,
            },
        };
        reading.value(0)?;
        match reading.tokens.peek() {
            None => Ok(reading.document),
            Some(_) => Err(Refused::Broken),
        }
    }
}

/// Among so many members a walk along them is as fast as a search.
const FEW: usize = 16;

impl Document<'_> {
    /// Sorts the names of an object, so that whoever looks for many of them is fast.
    fn sort_names(&mut self, place: usize, members: usize) {
        let mut names = Vec::with_capacity(members);
        let mut at = place + 1;
        for _ in 0..members {
            names.push(number_of(at));
            at = self.behind(at + 1);
        }
        let name = |at: &u32| self.string(self.slot(*at as usize));
        names.sort_unstable_by(|a, b| name(a).cmp(name(b)));
        let from = self.sorted.len();
        self.sorted.append(&mut names);
        if let Some(slot) = self.slots.get_mut(place) {
            slot.start = number_of(from + 1);
        }
    }
}

/// Slots to begin with: as many as short texts have. Of a long one it may all be one string.
fn slots_of(text: &str) -> usize {
    (8 + text.len() / 16).min(256)
}

struct Reading<'j, 'l> {
    tokens: Tokens<'j>,
    limits: &'l ArgumentLimits,
    document: Document<'j>,
}

impl Reading<'_, '_> {
    /// Reads the value that comes next, inside of `depth` others.
    fn value(&mut self, depth: usize) -> Result<(), Refused> {
        self.document.values += 1;
        if self.document.values > self.limits.values {
            let most = self.limits.values;
            return Err(self.limit("values", format!("no more than {most} values altogether")));
        }
        match self.tokens.peek().ok_or(Refused::Broken)? {
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'"' => self.string_value(),
            b'n' => self.literal("null", What::Null),
            b't' => self.literal("true", What::Boolean(true)),
            b'f' => self.literal("false", What::Boolean(false)),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Refused> {
        let place = self.open(depth)?;
        let mut members = 0;
        if self.tokens.peek() == Some(b'}') {
            self.tokens.punctuation();
        } else {
            loop {
                members += 1;
                if members > self.limits.members {
                    let most = self.limits.members;
                    return Err(self.limit("members", format!("no more than {most} members")));
                }
                let name = self.name()?;
                if self.tokens.peek() != Some(b':') {
                    return Err(Refused::Broken);
                }
                self.tokens.punctuation();
                self.value(depth).map_err(|refused| {
                    let step = self.document.string(self.document.slot(name));
                    inside(refused, step)
                })?;
                if self.ends(b'}')? {
                    break;
                }
            }
        }
        self.close(place, What::Object(number_of(members)));
        if members > FEW {
            self.document.sort_names(place, members);
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), Refused> {
        let place = self.open(depth)?;
        let mut elements = 0_usize;
        if self.tokens.peek() == Some(b']') {
            self.tokens.punctuation();
        } else {
            loop {
                elements += 1;
                if elements > self.limits.elements {
                    let most = self.limits.elements;
                    return Err(self.limit("elements", format!("no more than {most} elements")));
                }
                self.value(depth)
                    .map_err(|refused| inside(refused, &(elements - 1).to_string()))?;
                if self.ends(b']')? {
                    break;
                }
            }
        }
        self.close(place, What::Array(number_of(elements)));
        Ok(())
    }

    fn open(&mut self, depth: usize) -> Result<usize, Refused> {
        if depth > self.limits.depth {
            let most = self.limits.depth;
            return Err(self.limit("depth", format!("no deeper than {most} levels")));
        }
        self.document.depth = self.document.depth.max(depth);
        self.tokens.punctuation();
        let place = self.document.slots.len();
        self.push(What::Null, 0, 0);
        Ok(place)
    }

    fn close(&mut self, place: usize, what: What) {
        let end = number_of(self.document.slots.len());
        if let Some(slot) = self.document.slots.get_mut(place) {
            *slot = Slot {
                what,
                start: 0,
                end,
            };
        }
    }

    /// Whether the container ends here, or goes on.
    fn ends(&mut self, end: u8) -> Result<bool, Refused> {
        let next = self.tokens.peek();
        self.tokens.punctuation();
        match next {
            Some(b',') => Ok(false),
            Some(next) if next == end => Ok(true),
            _ => Err(Refused::Broken),
        }
    }

    fn name(&mut self) -> Result<usize, Refused> {
        if self.tokens.peek() != Some(b'"') {
            return Err(Refused::Broken);
        }
        let place = self.document.slots.len();
        let most = self.limits.name_bytes;
        let characters = self.limits.characters.of_names();
        let offence = self.string(|name| match name.len() > most {
            true => Some(("name_bytes", format!("a name has more than {most} bytes"))),
            false => characters
                .offence(name)
                .map(|what| ("characters", format!("a name must not have {what}"))),
        })?;
        match offence {
            None => Ok(place),
            Some((rule, problem)) => Err(self.limit(rule, problem)),
        }
    }

    fn string_value(&mut self) -> Result<(), Refused> {
        let most = self.limits.string_bytes;
        let characters = self.limits.characters;
        let offence = self.string(|text| match text.len() > most {
            true => Some(("string_bytes", format!("no more than {most} bytes"))),
            false => characters
                .offence(text)
                .map(|what| ("characters", format!("it must not have {what}"))),
        })?;
        match offence {
            None => Ok(()),
            Some((rule, problem)) => Err(self.limit(rule, problem)),
        }
    }

    /// Takes a string, and tells what `judge` says of it.
    fn string<T>(&mut self, judge: impl FnOnce(&str) -> T) -> Result<T, Refused> {
        let start = self.tokens.position() + 1;
        let (source, unescaped) = (self.document.text, &mut self.document.unescaped);
        let (judged, what, length) = self.tokens.string(|text| {
            // What has no escapes is handed over where it stands.
            let is_plain = source
                .get(start..)
                .is_some_and(|rest| rest.as_ptr() == text.as_ptr());
            if !is_plain {
                unescaped.push_str(text);
            }
            let what = if is_plain { What::Plain } else { What::Escaped };
            (judge(text), what, text.len())
        })?;
        match what {
            What::Plain => self.push(what, start, start + length),
            _ => {
                let end = self.document.unescaped.len();
                self.push(what, end - length, end);
            }
        }
        Ok(judged)
    }

    fn literal(&mut self, name: &str, what: What) -> Result<(), Refused> {
        self.tokens.literal(name)?;
        self.push(what, 0, 0);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Refused> {
        let start = self.tokens.position();
        self.tokens.skip_number()?;
        let end = self.tokens.position();
        let text = self.document.text.get(start..end).unwrap_or_default();
        let number = match Number::read(text) {
            Ok(number) => number,
            Err(Unreadable::Infinite) => return Err(self.limit("numbers", "too large a number")),
            Err(Unreadable::Long) => {
                return Err(self.limit("numbers", "no integer of more than 64 bits"));
            }
        };
        let (least, most) = (self.limits.least, self.limits.most);
        if !(least..=most).contains(&number.as_f64()) {
            return Err(self.limit("numbers", format!("a number from {least} to {most}")));
        }
        if self.limits.safe_integers && !number.is_safe() {
            return Err(self.limit("safe_integers", "no integer beyond 9007199254740991"));
        }
        self.push(What::Number(number), start, end);
        Ok(())
    }

    fn push(&mut self, what: What, start: usize, end: usize) {
        let (start, end) = (number_of(start), number_of(end));
        self.document.slots.push(Slot { what, start, end });
    }

    #[cold]
    fn limit(&self, rule: &'static str, problem: impl Into<Cow<'static, str>>) -> Refused {
        Refused::Limit(Box::new(Violation::new(String::new(), rule, problem)))
    }
}

/// No body has more than 1 GiB.
fn number_of(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cold]
fn inside(refused: Refused, step: &str) -> Refused {
    match refused {
        Refused::Broken => Refused::Broken,
        Refused::Limit(violation) => {
            let mut pointer = violation.pointer().to_owned();
            prepend(&mut pointer, step);
            Refused::Limit(Box::new(violation.at(pointer)))
        }
    }
}
