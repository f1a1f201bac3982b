//! What is shown in place of a sensitive value.

use crate::{Kind, keys::FORMS};

/// Appends the mask. Without the value, or if its form says too much, it is `***` and the kind.
pub(crate) fn write(kind: Kind, value: Option<&str>, out: &mut String) {
    let form = value.and_then(|value| match kind {
        Kind::Email => email(value),
        Kind::Phone => phone(value),
        Kind::ApiKey => Some(api_key(value)),
        _ => None,
    });
    match form {
        Some(form) => out.push_str(&form),
        None => {
            out.push_str("***(");
            out.push_str(kind.name());
            out.push(')');
        }
    }
}

/// The domain, and of the name its ends, if there is more to it.
fn email(value: &str) -> Option<String> {
    let (name, domain) = value.rsplit_once('@')?;
    let mut letters = name.chars();
    let ends = (letters.next(), letters.next_back());
    match ends {
        (Some(first), Some(last)) if letters.next().is_some() => {
            Some(format!("{first}***{last}@{domain}"))
        }
        _ => Some(format!("***@{domain}")),
    }
}

fn phone(value: &str) -> Option<String> {
    let mut last: Vec<_> = value
        .bytes()
        .rev()
        .filter(u8::is_ascii_digit)
        .take(4)
        .collect();
    last.reverse();
    let last = String::from_utf8(last).ok()?;
    Some(format!("***-***-{last}"))
}

/// What is shown of a key's end.
const SHOWN: usize = 6;

/// A key of which less would be left is not shown at all.
const LEAST: usize = 18;

fn api_key(value: &str) -> String {
    let known = FORMS.iter().find(|form| value.starts_with(form.prefix));
    // Of a brand it is brand and environment.
    let brand = || value.match_indices('_').nth(1).map_or(0, |(at, _)| at + 1);
    let prefix = known.map_or_else(brand, |form| form.prefix.len());
    let (prefix, rest) = value.split_at_checked(prefix).unwrap_or(("", value));
    let shown = match rest.len() >= LEAST + SHOWN {
        true => rest.get(rest.len() - SHOWN..).unwrap_or_default(),
        false => "",
    };
    format!("{prefix}***{shown}")
}
