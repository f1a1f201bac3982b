use std::{borrow::Cow, fmt, ops::Range, vec};

use crate::{
    Kind, Kinds, Names,
    escapes::Unescaped,
    mask,
    scan::{Hit, Scan, Wanted},
};

/// Finds sensitive values in text, in time that grows with the text's length and nothing else.
///
/// As they are; and with JSON's escapes, percent-encoded, or in base64, one level of each. Text in which nothing is found and
/// that has no escapes takes no allocation.
///
/// ```
/// use bartizan_sensitive::{Finder, Kind, Kinds};
/// let finder = Finder::new(&Kinds::all());
/// let text = "from ann@example.com, card 4111 1111 1111 1111";
///
/// // Yes.
/// let found: Vec<_> = finder.find(text).map(|found| found.kind).collect();
/// assert_eq!(found, [Kind::Email, Kind::Card]);
/// assert_eq!(finder.mask(text), "from a***n@example.com, card ***(card)");
///
/// // No.
/// assert!(finder.find("order 4111-2026, v1.2.3, 2026-11-27").next().is_none());
/// ```
#[derive(Debug, Clone)]
pub struct Finder {
    kinds: Kinds,
    names: Names,
}

/// A sensitive value in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Where it stands: bytes, at the bounds of characters. Of what is encoded, all that is.
    pub range: Range<usize>,
    is_plain: bool,
}

impl Found {
    /// What stands in place of it: `u***r@example.com`, `***-***-1234`, `sk_***abc123`, of others and of what is encoded `***`
    /// and the kind. Visible ASCII but for an address's own letters; nothing that JSON escapes.
    ///
    /// `text` is what it was found in.
    pub fn mask(&self, text: &str) -> String {
        let mut out = String::new();
        self.write_mask(text, &mut out);
        out
    }

    pub(crate) fn write_mask(&self, text: &str, out: &mut String) {
        let value = text.get(self.range.clone()).filter(|_| self.is_plain);
        mask::write(self.kind, value, out);
    }

    /// Whether it stands there as it is, not encoded.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }
}

impl Finder {
    /// Looks for these kinds, and for values behind the names of [`Names::new`].
    pub fn new(kinds: &Kinds) -> Self {
        Self {
            kinds: *kinds,
            names: Names::new(),
        }
    }

    /// With these names in place of those, for [`Kind::Assignment`].
    #[must_use]
    pub fn with_names(self, names: Names) -> Self {
        Self { names, ..self }
    }

    /// The sensitive values in the text, in order and apart from each other. Values that overlap are one, of the kind that
    /// begins first.
    pub fn find(&self, text: &str) -> Finds {
        self.find_near(text, false)
    }

    /// The same, where the id of an AWS key may be known to be near.
    pub(crate) fn find_near(&self, text: &str, is_near_aws: bool) -> Finds {
        let mut hits = Vec::new();
        if text.len() >= SHORTEST {
            let wanted = Wanted {
                kinds: self.kinds,
                names: &self.names,
                is_near_aws,
            };
            let may_be_escaped = Scan::new(text.as_bytes(), wanted, true, &mut hits).run();
            if may_be_escaped {
                find_escaped(text, wanted, &mut hits);
            }
        }
        if !hits.is_empty() {
            settle(text, &mut hits);
        }
        Finds(hits.into_iter())
    }

    /// The text with a mask in place of each sensitive value; itself, if there is none.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.mask_found(text, self.find(text))
    }

    pub(crate) fn mask_found<'t>(&self, text: &'t str, found: Finds) -> Cow<'t, str> {
        if found.len() == 0 {
            return text.into();
        }
        let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
        for found in found {
            out.push_str(text.get(copied..found.range.start).unwrap_or_default());
            found.write_mask(text, &mut out);
            copied = found.range.end;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        out.into()
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) fn kinds(&self) -> Kinds {
        self.kinds
    }
}

/// Nothing sensitive is shorter: `a@b.co`.
const SHORTEST: usize = 6;

#[cold]
fn find_escaped(text: &str, wanted: Wanted<'_>, hits: &mut Vec<Hit>) {
    let Some(unescaped) = Unescaped::of(text.as_bytes()) else {
        return;
    };
    let first = hits.len();
    Scan::new(&unescaped.text, wanted, true, hits).run();
    for hit in hits.iter_mut().skip(first) {
        let start = unescaped.original(hit.range.start);
        let end = unescaped.original(hit.range.end);
        // What has no escape in it stands there as it is.
        hit.is_plain &= end - start == hit.range.len();
        hit.range = start..end;
    }
}

/// In order, without overlap, at the bounds of characters.
fn settle(text: &str, hits: &mut Vec<Hit>) {
    for hit in hits.iter_mut() {
        let Range { mut start, mut end } = hit.range;
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        end = end.min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        hit.range = start..end;
    }
    // What is known better than by its name stands first.
    let by_name = |kind| kind == Kind::Assignment;
    hits.sort_by_key(|hit| {
        (
            hit.range.start,
            usize::MAX - hit.range.end,
            by_name(hit.kind),
        )
    });
    hits.dedup_by(|next, hit| {
        if next.range.start >= hit.range.end {
            return false;
        }
        if next.range.end > hit.range.end {
            hit.range.end = next.range.end;
            hit.is_plain = false;
        }
        // An address whose domain is a key is not shown as an address.
        hit.is_plain &= hit.kind != Kind::Email || next.kind == Kind::Email;
        true
    });
}

/// The sensitive values of a text; see [`Finder::find`].
#[derive(Debug, Clone)]
pub struct Finds(vec::IntoIter<Hit>);

impl Iterator for Finds {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let Hit {
            kind,
            range,
            is_plain,
        } = self.0.next()?;
        Some(Found {
            kind,
            range,
            is_plain,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Finds {}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at {}..{}",
            self.kind, self.range.start, self.range.end
        )
    }
}
