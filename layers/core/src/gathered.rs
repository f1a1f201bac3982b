use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes that come in pieces, and mostly in one, which then is not copied.
///
/// Its `Debug` shows no content.
///
/// ```
/// use bartizan_core::Gathered;
/// let mut gathered = Gathered::new();
/// gathered.push("a".into());
/// gathered.push("b".into());
/// assert_eq!((gathered.len(), gathered.take()), (2, "ab".into()));
/// assert!(gathered.is_empty());
/// ```
#[derive(Default)]
pub struct Gathered {
    first: Bytes,
    /// All of it, once there are several.
    joined: BytesMut,
}

impl Gathered {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes more behind what is there. Whoever calls keeps the bound.
    pub fn push(&mut self, piece: Bytes) {
        if self.is_empty() {
            self.first = piece;
        } else if !piece.is_empty() {
            let first = std::mem::take(&mut self.first);
            self.joined.reserve(first.len() + piece.len());
            self.joined.put(first);
            self.joined.put(piece);
        }
    }

    /// All of it; nothing is left.
    pub fn take(&mut self) -> Bytes {
        match self.joined.is_empty() {
            true => std::mem::take(&mut self.first),
            false => self.joined.split().freeze(),
        }
    }
}

impl fmt::Debug for Gathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathered")
            .field("length", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_piece_is_not_copied_and_several_are_in_their_order() {
        let piece = Bytes::from("abc".to_owned());
        let mut gathered = Gathered::new();
        for empty_first in [false, true] {
            if empty_first {
                gathered.push(Bytes::new());
            }
            gathered.push(piece.clone());
            gathered.push(Bytes::new());
            assert_eq!(gathered.take().as_ptr(), piece.as_ptr());
        }
        for piece in ["ab", "", "c", "def"] {
            gathered.push(piece.into());
        }
        assert_eq!(gathered.len(), 6);
        assert!(!format!("{gathered:?}").contains("abc"));
        assert_eq!(gathered.take(), "abcdef");
        assert!(gathered.take().is_empty());
    }
}
