//! What was said of an argument, made ready to be asked.

use bartizan_core::names::{Pattern, Shape};

use super::{
    Argument, Literal, LiteralKind, Test,
    leaf::{Check, Leaf},
    read::Name,
    text,
};
use crate::RbacConfigError;

const MOST_MEMBERS: usize = 8;
const NAME_BYTES: usize = 256;
const MOST_LITERALS: usize = 1024;
const TEXT_BYTES: usize = 1024;

/// # Errors
///
/// If it could hold never or always, or a name or text is none.
pub(super) fn leaf(argument: &Argument, test: &Test) -> Result<Leaf, RbacConfigError> {
    let first = argument.path.first().map_or("", |name| name);
    let error = |problem| RbacConfigError::new("argument", first, problem);
    let each = argument.each.as_deref();
    let mut all = argument.path.iter().chain(each.unwrap_or_default());
    if argument.is_nested {
        return Err(error("is asked for each of each, which is not supported"));
    }
    if all.clone().count() > MOST_MEMBERS {
        return Err(error("is more than 8 names deep"));
    }
    if all.any(|name| name.is_empty() || name.len() > NAME_BYTES) {
        return Err(error("has a name that is empty or longer than 256 bytes"));
    }
    let names = |path: &[String]| path.iter().map(|name| Name::new(name)).collect();
    Ok(Leaf {
        name: Name::new(first),
        path: names(argument.path.get(1..).unwrap_or_default()),
        each: each.map(names),
        or_absent: argument.or_absent,
        test: check(test).map_err(error)?,
    })
}

fn check(test: &Test) -> Result<Check, &'static str> {
    Ok(match test {
        Test::Is(attribute) => Check::Is(*attribute),
        Test::OneOf(literals) => one_of(literals)?,
        Test::Between(range) => {
            range.check()?;
            Check::Between(range.clone())
        }
        Test::StartsWith(prefix) => {
            not_of_uris(prefix)?;
            if prefix.is_empty() || prefix.len() > TEXT_BYTES || text::has_dots(prefix) {
                return Err(
                    "starts with what is empty, longer than 1024 bytes, or has segments of dots",
                );
            }
            Check::StartsWith(prefix.as_str().into())
        }
        Test::Matches(pattern) => {
            not_of_uris(pattern)?;
            if text::has_dots(pattern) {
                return Err("matches a pattern with segments of dots, which never holds");
            }
            Check::Matches(Pattern::parse(pattern, Shape::Flat)?)
        }
        Test::Within(directory) => {
            not_of_uris(directory)?;
            if directory.len() > TEXT_BYTES || !text::is_plain_path(directory) {
                return Err("is within what is no path that can be read in one way");
            }
            Check::Within(directory.as_str().into())
        }
        Test::MatchesUri(pattern) => Check::MatchesUri(Pattern::parse(pattern, Shape::Uri)?),
        Test::AtMostItems(most) => Check::AtMostItems(*most),
    })
}

/// `https://h*` begins like `https://h.evil.example`.
fn not_of_uris(text: &str) -> Result<(), &'static str> {
    if text.contains("://") {
        return Err("is compared with a URI as if it were a text: say `matches_uri`");
    }
    Ok(())
}

fn one_of(literals: &[Literal]) -> Result<Check, &'static str> {
    if literals.is_empty() || literals.len() > MOST_LITERALS {
        return Err("is one of none, or of more than 1024");
    }
    let has = |value| literals.iter().any(|one| one.0 == LiteralKind::Bool(value));
    let (is_true, is_false) = (has(true), has(false));
    let texts = literals.iter().filter_map(|one| match &one.0 {
        LiteralKind::Text(text) => Some(Box::from(text.as_str())),
        LiteralKind::Bool(_) => None,
    });
    let mut texts: Vec<_> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    if texts.len() + usize::from(is_true) + usize::from(is_false) < literals.len() {
        return Err("is one of what is there twice");
    }
    Ok(Check::OneOf {
        texts: texts.into(),
        is_true,
        is_false,
    })
}
