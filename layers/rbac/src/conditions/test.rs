use super::{Attribute, NumberRange};

/// What must be of a value, as it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test {
    Is(Attribute),
    OneOf(Vec<Literal>),
    Between(NumberRange),
    StartsWith(String),
    Matches(String),
    Within(String),
    MatchesUri(String),
    AtMostItems(usize),
}

/// A text or a truth value that an argument may be, see [`Argument::one_of`](crate::Argument::one_of).
///
/// Numbers are none: they are spelled in many ways. `between(5..=5)` is the number 5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal(pub(crate) LiteralKind);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LiteralKind {
    Text(String),
    Bool(bool),
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Literal {
    fn from(text: String) -> Self {
        Self(LiteralKind::Text(text))
    }
}

impl From<bool> for Literal {
    fn from(value: bool) -> Self {
        Self(LiteralKind::Bool(value))
    }
}
