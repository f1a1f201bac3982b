use std::{array, iter};

use http::HeaderName;

/// What the rules have to do with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Removed,
    /// It has a rule, at this place.
    Set(u32),
    /// It is the nonce of a proof of possession.
    Nonce,
}

/// Finds what is known of a name by comparing it with hardly any other.
#[derive(Debug, Clone)]
pub(crate) struct Index([Vec<(HeaderName, Known)>; LOOKS]);

const LOOKS: usize = 64;

static DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

impl Index {
    #[inline]
    pub(crate) fn find(&self, name: &HeaderName, text: &str) -> Option<Known> {
        let alike = self.0.get(looks_of(text))?;
        let found = alike.iter().find(|(known, _)| known == name)?;
        Some(found.1)
    }
}

impl Default for Index {
    fn default() -> Self {
        iter::empty().collect()
    }
}

impl<'a> FromIterator<(&'a HeaderName, Known)> for Index {
    fn from_iter<I: IntoIterator<Item = (&'a HeaderName, Known)>>(names: I) -> Self {
        let mut looks = array::from_fn(|_| Vec::new());
        for (name, known) in names.into_iter().chain([(&DPOP_NONCE, Known::Nonce)]) {
            if let Some(alike) = looks.get_mut(looks_of(name.as_str())) {
                alike.push((name.clone(), known));
            }
        }
        Self(looks)
    }
}

/// Length and ends, which tell most names apart.
#[inline]
fn looks_of(name: &str) -> usize {
    let name = name.as_bytes();
    let ends = name.first().zip(name.last());
    let ends = ends.map_or(0, |(first, last)| usize::from(first ^ last.rotate_left(2)));
    (name.len() ^ ends) % LOOKS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{FINGERPRINTS, HTML};

    #[test]
    fn every_name_is_found_as_what_it_is_and_no_other() {
        let set = (0..)
            .zip(&HTML)
            .map(|(at, (name, _))| (name, Known::Set(at)));
        let removed = FINGERPRINTS.iter().map(|name| (name, Known::Removed));
        let index: Index = removed.chain(set.clone()).collect();
        for name in &FINGERPRINTS {
            assert_eq!(
                index.find(name, name.as_str()),
                Some(Known::Removed),
                "{name}"
            );
            let longer = HeaderName::try_from(format!("{name}-x")).unwrap();
            assert_eq!(index.find(&longer, longer.as_str()), None, "{longer}");
        }
        for (name, known) in set {
            assert_eq!(index.find(name, name.as_str()), Some(known), "{name}");
        }
        assert_eq!(
            index.find(&DPOP_NONCE, DPOP_NONCE.as_str()),
            Some(Known::Nonce)
        );
        assert_eq!(
            Index::default().find(&FINGERPRINTS[0], FINGERPRINTS[0].as_str()),
            None
        );
    }
}
