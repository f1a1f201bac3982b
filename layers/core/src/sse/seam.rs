use std::fmt;

/// Searches pieces of a text for what may be cut in two, and holds no more of them than its length.
///
/// Its `Debug` shows no content.
///
/// ```
/// use bartizan_core::sse::Seam;
/// let mut seam = Seam::new(4);
/// let is_gold = |text: &[u8]| text.windows(4).any(|four| four == b"gold");
/// assert!(!seam.any(b"..go", is_gold));
/// assert!(!seam.any(b"l", is_gold));
/// assert!(seam.any(b"d..", is_gold));
/// ```
#[derive(Clone)]
pub struct Seam {
    /// The end of what came before.
    held: Vec<u8>,
    keep: usize,
}

impl Seam {
    /// For texts of at most so many bytes.
    pub const fn new(longest: usize) -> Self {
        Self {
            held: Vec::new(),
            keep: longest.saturating_sub(1),
        }
    }

    /// Whether a text is in the piece, or begins in an earlier one and ends in it. `is_in` searches
    /// what it is given.
    pub fn any(&mut self, piece: &[u8], is_in: impl Fn(&[u8]) -> bool) -> bool {
        let near = piece.get(..self.keep).unwrap_or(piece);
        self.held.extend_from_slice(near);
        let found = is_in(&self.held) || near.len() < piece.len() && is_in(piece);
        if near.len() < piece.len() {
            let last = piece.len().saturating_sub(self.keep);
            self.held.clear();
            self.held
                .extend_from_slice(piece.get(last..).unwrap_or_default());
        } else {
            let gone = self.held.len().saturating_sub(self.keep);
            self.held.drain(..gone);
        }
        found
    }

    /// Forgets what came before.
    pub fn clear(&mut self) {
        self.held.clear();
    }
}

impl fmt::Debug for Seam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seam")
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}
