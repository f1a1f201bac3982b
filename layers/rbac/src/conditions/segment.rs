//! Segments of a resource's URI that must be the principal's.

use bartizan_core::{Principal, call::Subject, names::uri};

use super::Attribute;
use crate::Operation;

/// A placeholder of a rule's URI: `{tenant}`, alone between slashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Which of what stands between slashes; that of the host is 2.
    place: usize,
    pub(super) is: Attribute,
}

const PLACEHOLDERS: [(&str, Attribute); 4] = [
    ("{subject}", Attribute::Subject),
    ("{service}", Attribute::Service),
    ("{client}", Attribute::Client),
    ("{tenant}", Attribute::Tenant),
];

/// Where the host stands: `x:` and nothing stand before it.
const HOST: usize = 2;

/// The pattern with a star for each placeholder, and these.
///
/// # Errors
///
/// If one stands where a URI has it at no fixed place.
pub(crate) fn placeholders(pattern: &str) -> Result<(String, Vec<Segment>), &'static str> {
    let mut found = Vec::new();
    let mut plain = Vec::new();
    for (place, text) in pattern.split('/').enumerate() {
        let Some((_, is)) = PLACEHOLDERS.iter().find(|(name, _)| *name == text) else {
            if PLACEHOLDERS.iter().any(|(name, _)| text.contains(name)) {
                return Err("has a placeholder beside other text: it stands alone between slashes");
            }
            if text.contains(['{', '}']) {
                return Err("has braces, and is none of {subject}, {service}, {client}, {tenant}");
            }
            plain.push(text);
            continue;
        };
        if place < HOST || plain.contains(&"**") {
            return Err("has a placeholder before its first slashes, or after `**`");
        }
        found.push(Segment { place, is: *is });
        plain.push("*");
    }
    Ok((plain.join("/"), found))
}

impl Segment {
    /// Whether the operation's URI has there what the principal is, once decoded and byte for byte.
    pub(super) fn is_met(self, principal: &Principal, operation: &Operation<'_>) -> bool {
        let Some((Subject::Resource, uri)) = operation.subject() else {
            return false;
        };
        let mut segments = uri::name_of(uri).split('/');
        // What a template has before it may stand for more segments than one.
        let mut is_template = segments.clone().take(self.place + 1).map(has_braces);
        if operation.is_template() && is_template.any(|has_braces| has_braces) {
            return false;
        }
        let segment = segments.nth(self.place);
        let wanted = self.is.of(principal).filter(|wanted| self.is_plain(wanted));
        let both = segment.zip(wanted);
        both.is_some_and(|(segment, wanted)| decodes_to(segment, wanted))
    }

    pub(super) fn name(self) -> &'static str {
        let placeholder = PLACEHOLDERS.iter().find(|(_, is)| *is == self.is);
        placeholder.map_or("", |(name, _)| name)
    }

    /// Whether no server takes it for another name: what follows a semicolon is dropped by some, dots and
    /// spaces at the end by others, and of a host what follows a colon.
    fn is_plain(self, attribute: &str) -> bool {
        let has_port = self.place == HOST && attribute.contains(':');
        !has_port && !attribute.contains(';') && !attribute.ends_with(['.', ' '])
    }
}

fn has_braces(segment: &str) -> bool {
    segment.contains(['{', '}'])
}

fn decodes_to(segment: &str, wanted: &str) -> bool {
    let mut wanted = wanted.bytes();
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => match (rest.next().and_then(digit), rest.next().and_then(digit)) {
                (Some(high), Some(low)) => Some(high << 4 | low),
                _ => None,
            },
            plain => Some(plain),
        };
        if byte.is_none() || byte != wanted.next() {
            return false;
        }
    }
    wanted.next().is_none()
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_stand_alone_between_slashes_at_a_fixed_place() {
        let (plain, found) = placeholders("notes://{tenant}/users/{subject}/**").unwrap();
        assert_eq!(plain, "notes://*/users/*/**");
        let places: Vec<_> = found.iter().map(|one| (one.place, one.is)).collect();
        assert_eq!(places, [(2, Attribute::Tenant), (4, Attribute::Subject)]);
        assert_eq!(placeholders("x://h/*/a").unwrap().1, []);
        for pattern in [
            "x://h/u-{subject}",
            "x://h/{subject}{tenant}",
            "x://h/{Subject}",
            "x://h/{id}",
            "x://h/{",
            "x://h/**/{subject}",
            "{subject}",
            "{subject}/a",
            "urn:{subject}",
        ] {
            assert!(placeholders(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn segments_are_decoded_and_compared_byte_for_byte() {
        for (segment, wanted, expected) in [
            ("ann", "ann", true),
            ("gr%C3%BC%C3%9Fe", "gr\u{fc}\u{df}e", true),
            ("a%20b", "a b", true),
            ("ann", "Ann", false),
            ("ann", "ann ", false),
            ("anna", "ann", false),
            ("an", "ann", false),
            ("", "ann", false),
            ("ann%", "ann%", false),
            ("ann%2", "ann\u{2}", false),
            ("%zz", "\u{0}", false),
        ] {
            assert_eq!(decodes_to(segment, wanted), expected, "{segment} {wanted}");
        }
    }
}
