use std::{fmt, sync::Arc};

use bartizan_sensitive::{Kind, Redactor};

/// Texts that hold nothing sensitive, of those that were looked through last.
///
/// Most texts of a record stand in one that follows: the same caller, program and tool. What is the same byte for byte holds
/// nothing again, and to see that takes a fraction of the time. It is of bounded size, and each text has one place in it,
/// so that who sends ever others only has them looked through.
#[derive(Default)]
pub(crate) struct Harmless {
    /// By which they were looked through.
    redactor: Option<Arc<Redactor>>,
    texts: Vec<String>,
}

const PLACES_BITS: u32 = 6;

/// The longest text that is kept.
const LONGEST: usize = 1536;

impl Harmless {
    /// As [`Redactor::mask_text`].
    pub(super) fn mask_text(
        &mut self,
        redactor: &Arc<Redactor>,
        text: &str,
    ) -> Option<(String, Vec<Kind>)> {
        let known = self.redactor.as_ref();
        if !known.is_some_and(|known| Arc::ptr_eq(known, redactor)) {
            self.redactor = Some(Arc::clone(redactor));
            self.texts.iter_mut().for_each(String::clear);
            self.texts.resize(1 << PLACES_BITS, String::new());
        }
        let place = place(text).and_then(|place| self.texts.get_mut(place));
        let Some(known) = place else {
            return redactor.mask_text(text);
        };
        if known == text {
            return None;
        }
        let masked = redactor.mask_text(text);
        if masked.is_none() {
            known.clear();
            known.push_str(text);
        }
        masked
    }
}

/// Where a text is kept, if it is one that is.
fn place(text: &str) -> Option<usize> {
    let text = text.as_bytes();
    // A shorter one is looked through as fast.
    let (first, last) = (text.first_chunk::<8>()?, text.last_chunk::<8>()?);
    let ends = u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23);
    let length = u64::try_from(text.len()).ok()?;
    let mixed = (ends ^ length).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = usize::try_from(mixed >> (u64::BITS - PLACES_BITS)).ok()?;
    (text.len() <= LONGEST).then_some(place)
}

/// Shows none of the texts.
impl fmt::Debug for Harmless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harmless").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bartizan_sensitive::Kinds;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn what_one_redactor_let_pass_is_looked_through_by_another() {
        let some = Arc::new(Redactor::new().kinds(&Kinds::of([Kind::Card])));
        let all = Arc::new(Redactor::new());
        let mut harmless = Harmless::default();
        for _ in 0..2 {
            assert!(harmless.mask_text(&some, "ann@example.com").is_none());
            assert!(harmless.mask_text(&all, "ann@example.com").is_some());
        }
    }

    #[test]
    fn what_it_keeps_is_bounded() {
        let redactor = Arc::new(Redactor::new());
        let mut harmless = Harmless::default();
        for length in 1..3000 {
            harmless.mask_text(&redactor, &" ".repeat(length));
            harmless.mask_text(&redactor, &"many words".repeat(length));
        }
        let kept = harmless.texts.iter().map(String::len);
        assert!(harmless.texts.len() == 64 && kept.max() <= Some(LONGEST));
    }

    proptest! {
        #[test]
        fn what_is_known_to_be_harmless_is_what_a_redactor_lets_pass(
            // Of few lengths, and alike at both ends, so that they share their places.
            texts in vec("1111111[a1][ @]b[.]c[do1]1111111", 0..60),
            others in vec("[a-c@.]{0,9}|sk_live_[a1]{7,9}|4111 1111 1111 111[01]", 0..30),
        ) {
            let redactor = Arc::new(Redactor::new());
            let mut harmless = Harmless::default();
            for text in texts.iter().zip(others.iter().cycle()).flat_map(<[&String; 2]>::from) {
                prop_assert_eq!(harmless.mask_text(&redactor, text), redactor.mask_text(text));
            }
        }
    }
}
