//! How records call a condition.

use std::fmt::{self, Display, Formatter};

use bartizan_core::printable;

use super::{Argument, Condition, Kind, LiteralKind, Test};

const NAME: usize = 100;
const TEXT: usize = 60;
/// Most of a list that are named.
const MOST_NAMED: usize = 8;

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Argument(argument, test) => write!(f, "{argument} {test}"),
            Kind::Role(role) => write!(f, "role `{}`", printable(role, NAME)),
            Kind::Capability(name) => write!(f, "capability `{}`", printable(name, NAME)),
            Kind::Issuer(issuer) => write!(f, "issuer `{}`", printable(issuer, NAME)),
            Kind::AnyOf(any) => {
                f.write_str("any of: ")?;
                list(f, any.iter(), "; ")
            }
        }
    }
}

impl Display for Argument {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let path = printable(&self.path.join("."), NAME).to_string();
        match self.each.as_deref() {
            None => write!(f, "argument `{path}`")?,
            Some([]) => write!(f, "each of argument `{path}`")?,
            Some(inner) => {
                let inner = printable(&inner.join("."), NAME).to_string();
                write!(f, "`{inner}` of each of argument `{path}`")?;
            }
        }
        f.write_str(if self.or_absent { " is absent or" } else { "" })
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = |f: &mut Formatter<'_>, says: &str, text: &str| {
            write!(f, "{says} `{}`", printable(text, TEXT))
        };
        match self {
            Self::Is(attribute) => write!(f, "is the {}", attribute.name()),
            Self::OneOf(literals) => {
                f.write_str("is one of ")?;
                list(f, literals.iter().map(|literal| &literal.0), ", ")
            }
            Self::Between(range) => match (&range.least, &range.most) {
                (Some(least), Some(most)) => write!(f, "is between {least} and {most}"),
                (Some(least), None) => write!(f, "is at least {least}"),
                (None, Some(most)) => write!(f, "is at most {most}"),
                (None, None) => f.write_str("is any number"),
            },
            Self::StartsWith(prefix) => text(f, "starts with", prefix),
            Self::Matches(pattern) => text(f, "matches", pattern),
            Self::Within(directory) => text(f, "is within", directory),
            Self::MatchesUri(pattern) => text(f, "matches URI", pattern),
            Self::AtMostItems(most) => write!(f, "has at most {most} items"),
        }
    }
}

impl Display for LiteralKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "`{}`", printable(text, TEXT)),
            Self::Bool(value) => write!(f, "{value}"),
        }
    }
}

fn list<T: Display>(
    f: &mut Formatter<'_>,
    items: impl ExactSizeIterator<Item = T>,
    separator: &str,
) -> fmt::Result {
    let more = items.len().saturating_sub(MOST_NAMED);
    for (place, item) in items.take(MOST_NAMED).enumerate() {
        let separator = if place > 0 { separator } else { "" };
        write!(f, "{separator}{item}")?;
    }
    if more > 0 {
        write!(f, "{separator}{more} more")?;
    }
    Ok(())
}
