use std::{borrow::Cow, fmt, sync::LazyLock};

use bartizan_core::call::Tokens;
use bartizan_sensitive::{Finder, Kind, Kinds};
use regex::{Regex, RegexBuilder};
use unicode_normalization::{UnicodeNormalization, is_nfkc};

use super::{Detector, detector::PATTERNS};

/// Some detectors: those that found something.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Found(u16);

impl Found {
    pub(super) fn of(detectors: impl IntoIterator<Item = Detector>) -> Self {
        let bits = detectors.into_iter().map(|one| 1 << one as u16);
        Self(bits.fold(0, |all, bit| all | bit))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn has(self, detector: Detector) -> bool {
        !self.and(Self::of([detector])).is_empty()
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Detector> {
        Detector::ALL.into_iter().filter(move |one| self.has(*one))
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, detector) in self.iter().enumerate() {
            let between = if place > 0 { ", " } else { "" };
            write!(f, "{between}{}", detector.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Found({self})")
    }
}

/// Looks for all of it. Compiled once for all layers.
pub(super) struct Scanner {
    /// Each with its detector.
    patterns: Vec<(Detector, Regex)>,
    secrets: Finder,
}

impl Scanner {
    pub(super) fn shared() -> &'static Self {
        static SHARED: LazyLock<Scanner> = LazyLock::new(|| Scanner {
            patterns: PATTERNS.iter().filter_map(compiled).collect(),
            secrets: Finder::new(&Kinds::of([
                Kind::ApiKey,
                Kind::CloudKey,
                Kind::Jwt,
                Kind::Authorization,
                Kind::PrivateKey,
                Kind::UrlPassword,
                Kind::Card,
            ])),
        });
        &SHARED
    }

    /// What is in the strings and names of JSON text. What is no JSON is looked at as text.
    pub(super) fn json(&self, json: &str, wanted: Found) -> Found {
        let mut found = Found::default();
        let mut tokens = Tokens::of(json);
        while let Some(next) = tokens.peek() {
            // All there is was found.
            if found == wanted {
                return found;
            }
            let taken = match next {
                b'"' => tokens.string(|text| found = found.or(self.text(text, wanted))),
                b'{' | b'}' | b'[' | b']' | b',' | b':' => {
                    tokens.punctuation();
                    Ok(())
                }
                b'n' => tokens.literal("null"),
                b't' => tokens.literal("true"),
                b'f' => tokens.literal("false"),
                _ => tokens.skip_number(),
            };
            if taken.is_err() {
                return found.or(self.text(json, wanted));
            }
        }
        found
    }

    /// What is in text: as it is, in its compatible form, and with one level of percent-encoding off.
    pub(super) fn text(&self, text: &str, wanted: Found) -> Found {
        let mut found = self.plain(text, wanted);
        if !text.is_ascii() && !is_nfkc(text) {
            let folded: String = text.nfkc().collect();
            found = found.or(self.plain(&folded, wanted));
        }
        if let Some(decoded) = percent_decoded(text) {
            found = found.or(self.plain(&decoded, wanted));
        }
        found
    }

    fn plain(&self, text: &str, wanted: Found) -> Found {
        let wanted_patterns = self.patterns.iter().filter(|(one, _)| wanted.has(*one));
        let matching = wanted_patterns.filter(|(_, pattern)| pattern.is_match(text));
        let mut found = Found::of(matching.map(|(detector, _)| *detector));
        if wanted.has(Detector::Secret) && self.secrets.find(text).next().is_some() {
            found = found.or(Found::of([Detector::Secret]));
        }
        found
    }
}

/// With word boundaries of ASCII, which the fast engine has in any text. `None` of what is no pattern, which a test rules out.
fn compiled((detector, pattern): &(Detector, &str)) -> Option<(Detector, Regex)> {
    let pattern = pattern.replace(r"\b", r"(?-u:\b)");
    let mut builder = RegexBuilder::new(&pattern);
    let regex = builder.dfa_size_limit(AUTOMATON_BYTES).build().ok()?;
    Some((*detector, regex))
}

/// Largest cache of one pattern's automaton.
const AUTOMATON_BYTES: usize = 4 << 20;

/// `None` if nothing is encoded. What is no UTF-8 then is taken for what readers make of it.
fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let bytes = text.as_bytes();
    let (mut decoded, mut at, mut is_encoded) = (Vec::new(), 0, false);
    if !bytes.contains(&b'%') {
        return None;
    }
    while let Some(byte) = bytes.get(at) {
        let pair = digit(bytes.get(at + 1)).zip(digit(bytes.get(at + 2)));
        match pair.filter(|_| *byte == b'%') {
            Some((high, low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
                is_encoded = true;
                at += 3;
            }
            None => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    is_encoded.then(|| Cow::Owned(String::from_utf8_lossy(&decoded).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_are_patterns() {
        assert_eq!(Scanner::shared().patterns.len(), PATTERNS.len());
        for (place, (detector, _)) in PATTERNS.iter().enumerate() {
            assert_eq!(*detector as usize, place);
        }
    }
}
