//! Arguments as they are judged: read once, from the text that the tool gets, in one piece of memory.

mod json;
mod number;
mod read;
mod unique;

use std::fmt;

pub(crate) use json::{Arguments, Part};
pub(crate) use number::Number;
pub(crate) use read::Refused;

/// JSON text that was read.
///
/// Values lie one behind the other, as in the text. Strings without escapes stay where they are.
pub(crate) struct Document<'j> {
    text: &'j str,
    slots: Vec<Slot>,
    /// What strings with escapes say, one behind the other.
    unescaped: String,
    /// The places of the names of objects with many members, sorted, object by object.
    sorted: Vec<u32>,
    values: usize,
    depth: usize,
}

/// A value, or the name of a member, behind which its value stands.
#[derive(Debug, Clone, Copy)]
struct Slot {
    what: What,
    /// Of a string or number, where it begins and ends. Of a container, `end` is the place of the slot behind it;
    /// of an object, `start` is one more than where its names are sorted, or 0.
    start: u32,
    end: u32,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Null,
    Boolean(bool),
    Number(Number),
    /// In the text.
    Plain,
    /// Among the unescaped.
    Escaped,
    /// Of so many elements.
    Array(u32),
    /// Of so many members.
    Object(u32),
}

impl Document<'_> {
    /// How many values it has, bytes, and levels.
    pub(crate) fn measures(&self) -> (usize, usize, usize) {
        (self.values, self.text.len(), self.depth)
    }

    /// Whether an object has two members of one name: of what was not read strictly before.
    pub(crate) fn repeats_a_member(&self) -> bool {
        let mut names = Vec::new();
        self.slots.iter().enumerate().any(|(place, slot)| {
            let What::Object(count) = slot.what else {
                return false;
            };
            names.clear();
            let mut at = place + 1;
            for _ in 0..count {
                names.push(self.string(self.slot(at)));
                at = self.behind(at + 1);
            }
            names.sort_unstable();
            names
                .windows(2)
                .any(|pair| matches!(pair, [a, b] if a == b))
        })
    }

    fn slot(&self, at: usize) -> Slot {
        const NONE: Slot = Slot {
            what: What::Null,
            start: 0,
            end: 0,
        };
        // Places come from the slots themselves.
        self.slots.get(at).copied().unwrap_or(NONE)
    }

    /// The place behind a value.
    fn behind(&self, at: usize) -> usize {
        let slot = self.slot(at);
        match slot.what {
            What::Array(_) | What::Object(_) => slot.end as usize,
            _ => at + 1,
        }
    }

    fn string(&self, slot: Slot) -> &str {
        let range = slot.start as usize..slot.end as usize;
        let found = match slot.what {
            What::Plain => self.text.get(range),
            What::Escaped => self.unescaped.get(range),
            _ => None,
        };
        found.unwrap_or_default()
    }
}

impl fmt::Debug for Document<'_> {
    /// Shows nothing of what it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = self.slots.len();
        f.debug_struct("Document")
            .field("slots", &slots)
            .finish_non_exhaustive()
    }
}
