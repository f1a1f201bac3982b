use std::{
    fmt,
    hash::{Hash, Hasher},
};

/// The id that ties a request's answer, its log lines and its audit record together.
///
/// Either taken from a caller that is trusted to choose it, or made: 32 hexadecimal digits from
/// a non-cryptographic generator. It is a name, not a secret, and never authorizes anything.
#[derive(Clone)]
pub struct CorrelationId(Text);

/// Most ids are made, one for each request: those take no allocation.
#[derive(Clone)]
enum Text {
    Made(Digits),
    Taken(Box<str>),
}

/// In two halves. At the beginning of a word, from where text is checked word by word.
#[derive(Clone)]
#[repr(align(8))]
struct Digits([[u8; 16]; 2]);

impl CorrelationId {
    /// Longest id taken from a caller, in bytes.
    pub const MAX_LEN: usize = 128;

    /// A new id.
    pub fn random() -> Self {
        let bytes = fastrand::u128(..).to_ne_bytes();
        let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
        // In no order, which random digits need not have.
        let made = [
            bytes.map(|byte| digit(byte & 0xf)),
            bytes.map(|byte| digit(byte >> 4)),
        ];
        Self(Text::Made(Digits(made)))
    }

    /// An id from a trusted caller: 1 to 128 characters of `A-Z a-z 0-9 - _ . : / + =`.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(&b);
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        (fits && text.bytes().all(legal)).then(|| Self(Text::Taken(text.into())))
    }

    /// The id as text: visible ASCII without quotes or backslashes.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Made(Digits(digits)) => {
                std::str::from_utf8(digits.as_flattened()).unwrap_or_default()
            }
            Text::Taken(text) => text,
        }
    }
}

impl PartialEq for CorrelationId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for CorrelationId {}

impl Hash for CorrelationId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CorrelationId({})", self.as_str())
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
        let made = CorrelationId::random();
        assert_eq!(made.as_str().len(), 32);
        assert_eq!(CorrelationId::parse(made.as_str()), Some(made));
    }
}
