use std::collections::BTreeMap;

use crate::Detector;

/// What was told in windows that are still open, so that their ends tell what it came to.
///
/// Of so many at a time; of further ones the end tells nothing.
#[derive(Debug, Default)]
pub(crate) struct Closings {
    open: BTreeMap<Place, Open>,
}

/// When its window ends, who told it, and about whom.
pub(crate) type Place = (u64, Detector, u64);

/// What was told, and what it came to.
#[derive(Debug)]
pub(crate) struct Open {
    told: u32,
    pub(crate) value: u32,
    pub(crate) baseline: Box<str>,
    pub(crate) about: Box<str>,
}

impl Closings {
    pub(crate) const MOST: usize = 1024;

    pub(crate) fn told(&mut self, place: Place, value: u32, baseline: &str, about: &str) {
        if let Some(open) = self.open.get_mut(&place) {
            open.told = value;
            open.value = value;
        } else if self.open.len() < Self::MOST {
            let open = Open {
                told: value,
                value,
                baseline: baseline.into(),
                about: about.into(),
            };
            self.open.insert(place, open);
        }
    }

    pub(crate) fn update(&mut self, place: Place, value: u32) {
        if let Some(open) = self.open.get_mut(&place) {
            open.value = open.value.max(value);
        }
    }

    /// Takes one out whose window is over and that came to more than was told.
    pub(crate) fn over(&mut self, now: u64) -> Option<(Detector, Open)> {
        loop {
            let first = self.open.first_entry()?;
            if first.key().0 > now {
                return None;
            }
            let (_, detector, _) = *first.key();
            let open = first.remove();
            if open.value > open.told {
                return Some((detector, open));
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// When the first window ends.
    pub(crate) fn next_end(&self) -> Option<u64> {
        self.open.keys().next().map(|place| place.0)
    }
}
