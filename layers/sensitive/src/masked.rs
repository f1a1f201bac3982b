use std::slice;

use crate::Kind;

/// What was masked, and where: the first sixteen, and how many more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Masked {
    masks: Vec<Mask>,
    more: usize,
}

/// One value that was masked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mask {
    /// Where it was, as a JSON pointer (RFC 6901) of visible ASCII and at most 128 bytes; `…` as `...` for what was cut. Empty of
    /// a text. Names in it are masked themselves.
    pub path: String,
    /// What it was.
    pub kind: Kind,
}

impl Masked {
    /// Most values that are listed.
    pub const MOST: usize = 16;

    /// Adds one; the path is made only if it is listed.
    pub(crate) fn add(&mut self, kind: Kind, path: impl FnOnce() -> String) {
        if self.masks.len() < Self::MOST {
            let path = path();
            self.masks.push(Mask { path, kind });
        } else {
            self.more += 1;
        }
    }

    /// Adds what another one lists.
    pub fn append(&mut self, other: Self) {
        let room = Self::MOST - self.masks.len();
        self.more += other.more + other.masks.len().saturating_sub(room);
        self.masks.extend(other.masks.into_iter().take(room));
    }

    /// The same, of what stands at this place of a list.
    pub(crate) fn below(mut self, index: usize) -> Self {
        for mask in &mut self.masks {
            mask.path.insert_str(0, &format!("/{index}"));
        }
        self
    }

    /// Those that are listed, in the order in which they came.
    pub fn iter(&self) -> slice::Iter<'_, Mask> {
        self.masks.iter()
    }

    /// How many are not listed.
    pub fn more(&self) -> usize {
        self.more
    }

    /// Whether nothing was masked.
    pub fn is_empty(&self) -> bool {
        self.masks.is_empty()
    }
}

impl<'a> IntoIterator for &'a Masked {
    type Item = &'a Mask;
    type IntoIter = slice::Iter<'a, Mask>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
