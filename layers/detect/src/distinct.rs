use crate::span::Span;

/// How many different things there were within a window, in 128 bytes: the first sixteen exactly, and more by linear
/// counting (Whang, Vander-Zanden and Taylor, 1990).
///
/// Of 20 things the count is one off at times, of 500 a few per cent. What is put in is a hash under a key that nobody
/// knows, so that nobody can choose things that fall together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Distinct {
    pub(crate) span: Span,
    few: [u32; FEW],
    count: usize,
    words: [u64; WORDS],
    ones: u32,
}

const FEW: usize = 16;
const WORDS: usize = 8;
const BITS: u32 = 64 * WORDS as u32;

impl Distinct {
    /// What may be asked for: beyond this the count gets vague.
    pub(crate) const MOST: u32 = 1000;

    /// Puts a thing in, and tells how many there are; `None` if it seems to be there already.
    pub(crate) fn add(&mut self, hash: u64, now: u64, window: u64) -> Option<u32> {
        if self.span.rolls(now, window) {
            *self = Self {
                span: self.span,
                ..Self::default()
            };
        }
        let half = u32::try_from(hash >> 32).unwrap_or_default();
        if self.few.get(..self.count)?.contains(&half) {
            return None;
        }
        let bit = 1u64 << (hash % 64);
        let place = usize::try_from(hash / 64 % WORDS as u64).unwrap_or_default();
        let word = self.words.get_mut(place)?;
        let is_new = *word & bit == 0;
        *word |= bit;
        self.ones += u32::from(is_new);
        if let Some(place) = self.few.get_mut(self.count) {
            *place = half;
            self.count += 1;
            return Some(self.estimate());
        }
        is_new.then(|| self.estimate())
    }

    /// How many there are in a window that is not over.
    pub(crate) fn live(&self, now: u64, window: u64) -> u32 {
        if self.span.is_live(now, window) {
            self.estimate()
        } else {
            0
        }
    }

    /// Of n things all miss a bit with the probability (1 − 1/m)ⁿ.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and m ln m"
    )]
    fn estimate(&self) -> u32 {
        let few = u32::try_from(self.count).unwrap_or_default();
        if self.count < FEW {
            return few;
        }
        let zeros = (BITS - self.ones).max(1);
        let bits = f64::from(BITS);
        let missed = (f64::from(zeros) / bits).ln() / (1.0 - 1.0 / bits).ln();
        (missed.round() as u32).max(few)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// Six standard deviations of the method, and two for the few where that is next to nothing.
        #[test]
        fn the_count_is_within_its_error(hashes in prop::collection::vec(any::<u64>(), 0..1000)) {
            let mut distinct = Distinct::default();
            for hash in hashes.iter().chain(&hashes) {
                distinct.add(*hash, 5, 10);
            }
            let real = hashes.iter().collect::<HashSet<_>>().len() as f64;
            if real <= 16.0 {
                prop_assert_eq!(f64::from(distinct.live(5, 10)), real);
            }
            let (bits, told) = (f64::from(BITS), f64::from(distinct.live(5, 10)));
            let load = real / bits;
            let deviation = (bits * (load.exp() - load - 1.0)).sqrt();
            prop_assert!((told - real).abs() <= 6.0 * deviation + 2.0, "{real} and {told}");
        }
    }

    #[test]
    fn the_same_thing_counts_once_and_a_new_window_begins_at_none() {
        let mut distinct = Distinct::default();
        assert_eq!(distinct.add(7 << 32, 1, 10), Some(1));
        assert_eq!(distinct.add(7 << 32, 2, 10), None);
        assert_eq!(distinct.add(8 << 32, 2, 10), Some(2));
        assert_eq!(distinct.live(11, 10), 0);
        assert_eq!(distinct.add(7 << 32, 11, 10), Some(1));
    }

    #[test]
    fn a_counter_that_is_full_says_so_many_and_no_more() {
        let mut distinct = Distinct::default();
        for number in 0..5000u64 {
            distinct.add(number << 32 | number, 1, 10);
        }
        assert!(distinct.live(1, 10) > Distinct::MOST);
    }
}
