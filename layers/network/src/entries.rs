use http::{HeaderMap, HeaderName, HeaderValue};

/// Bytes of a forwarding header that are looked at, counted from the right.
pub(crate) const MAX_BYTES: usize = 4096;

/// The entries of a list header, all its lines taken as one list, from the right.
///
/// `last_comma` finds the comma before a line's last entry. `None` is an entry that exceeds what
/// is left of [`MAX_BYTES`].
pub(crate) fn from_the_right<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    last_comma: fn(&[u8]) -> Option<usize>,
) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
    Entries {
        lines: headers
            .get_all(name)
            .iter()
            .rev()
            .map(HeaderValue::as_bytes),
        rest: None,
        budget: MAX_BYTES,
        last_comma,
    }
}

struct Entries<'a, L> {
    lines: L,
    rest: Option<&'a [u8]>,
    budget: usize,
    last_comma: fn(&[u8]) -> Option<usize>,
}

impl<'a, L: Iterator<Item = &'a [u8]>> Iterator for Entries<'a, L> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.rest.take().or_else(|| self.lines.next())?;
        let hidden = line.len().saturating_sub(self.budget);
        let seen = line.get(hidden..)?;
        let entry = match (self.last_comma)(seen) {
            Some(comma) => {
                self.rest = line.get(..hidden + comma);
                seen.get(comma + 1..)?
            }
            None if hidden > 0 => return Some(None),
            None => seen,
        };
        self.budget = self.budget.saturating_sub(entry.len() + 1);
        Some(Some(entry))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn entries(lines: &[String]) -> Vec<Option<String>> {
        let name = HeaderName::from_static("x-forwarded-for");
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&name, HeaderValue::from_str(line).unwrap());
        }
        let last_comma = |line: &[u8]| line.iter().rposition(|byte| *byte == b',');
        from_the_right(&headers, &name, last_comma)
            .map(|entry| entry.map(|e| String::from_utf8_lossy(e).into_owned()))
            .take(MAX_BYTES * 2)
            .collect()
    }

    #[test]
    fn an_entry_that_exceeds_the_budget_is_not_cut_but_refused() {
        let fits = "x".repeat(MAX_BYTES - 2);
        let lines = [format!("{fits},a")];
        assert_eq!(entries(&lines), [Some("a".to_owned()), Some(fits.clone())]);
        let lines = [format!("y{fits},a")];
        assert_eq!(entries(&lines)[1], None);
    }

    proptest! {
        #[test]
        fn the_lines_are_one_list_in_order(lines in vec("[a,]{0,12}", 0..5)) {
            let joined = lines.join(",");
            let mut expected: Vec<_> = joined.split(',').map(|e| Some(e.to_owned())).collect();
            expected.reverse();
            if lines.is_empty() {
                expected.clear();
            }
            prop_assert_eq!(entries(&lines), expected);
        }
    }
}
