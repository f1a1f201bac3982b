use std::fmt;

/// The id that ties a request's answer, its log lines and its audit record together.
///
/// Either taken from a caller that is trusted to choose it, or made: 32 hexadecimal digits from
/// a non-cryptographic generator. It is a name, not a secret, and never authorizes anything.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CorrelationId(Box<str>);

impl CorrelationId {
    /// Longest id taken from a caller, in bytes.
    pub const MAX_LEN: usize = 128;

    /// A new id.
    pub fn random() -> Self {
        Self(format!("{:032x}", fastrand::u128(..)).into())
    }

    /// An id from a trusted caller: 1 to 128 characters of `A-Z a-z 0-9 - _ . : / + =`.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(&b);
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        (fits && text.bytes().all(legal)).then(|| Self(text.into()))
    }

    /// The id as text: visible ASCII without quotes or backslashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CorrelationId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_cannot_smuggle_a_line_break_into_its_id() {
        for hostile in ["", "a b", "a\nb", "a\"b", "é", &"x".repeat(129)] {
            assert_eq!(CorrelationId::parse(hostile), None, "{hostile:?}");
        }
        assert!(CorrelationId::parse("01J9-req:42/a+b=").is_some());
    }

    #[test]
    fn made_ids_differ() {
        assert_ne!(CorrelationId::random(), CorrelationId::random());
        assert_eq!(CorrelationId::random().as_str().len(), 32);
    }
}
