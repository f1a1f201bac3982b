use super::{Condition, Kind, LiteralKind, Test};
use crate::version::Canonical;

/// What a policy's version is made of.
pub(crate) fn canonical(condition: &Condition) -> Canonical {
    let mut one = Canonical::default();
    match &condition.0 {
        Kind::Argument(argument, what) => {
            one.text("argument");
            one.list(&argument.path);
            one.flag(argument.each.is_some());
            one.list(argument.each.as_deref().unwrap_or_default());
            one.flag(argument.or_absent);
            one.append(test(what));
        }
        Kind::Role(role) => one.words("role", role),
        Kind::Capability(capability) => one.words("capability", capability),
        Kind::Issuer(issuer) => one.words("issuer", issuer),
        Kind::AnyOf(any) => {
            one.text("any_of");
            one.set(any.iter().map(canonical));
        }
    }
    one
}

fn test(test: &Test) -> Canonical {
    let mut one = Canonical::default();
    match test {
        Test::Is(attribute) => one.words("is", attribute.name()),
        Test::OneOf(literals) => {
            one.text("one_of");
            one.set(literals.iter().map(|literal| {
                let mut one = Canonical::default();
                match &literal.0 {
                    LiteralKind::Text(text) => one.words("text", text),
                    LiteralKind::Bool(value) => one.words("bool", &value.to_string()),
                }
                one
            }));
        }
        Test::Between(range) => {
            one.text("between");
            for bound in [&range.least, &range.most] {
                one.text(bound.as_ref().map_or("", |bound| &bound.0));
            }
        }
        Test::StartsWith(prefix) => one.words("starts_with", prefix),
        Test::Matches(pattern) => one.words("matches", pattern),
        Test::Within(directory) => one.words("within", directory),
        Test::MatchesUri(pattern) => one.words("matches_uri", pattern),
        Test::AtMostItems(most) => {
            one.text("at_most_items");
            one.count(*most);
        }
    }
    one
}
