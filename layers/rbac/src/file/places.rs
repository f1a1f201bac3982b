use std::ops::Range;

use bartizan_core::call::Tokens;
use serde::{Deserialize, de::IgnoredAny};
use toml::Spanned;

use crate::{
    RbacConfigError,
    lists::json::{Broken, Seen, array, object},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Toml,
    Json,
}

/// Where the offending name stands: in its rule, if it is one's. Looked for only once a policy is
/// known to be wrong, so that reading a good one needs no places.
pub(super) fn place_of(error: &RbacConfigError, text: &str, format: Format) -> Option<usize> {
    let in_shadow = error.is_in_shadow();
    let Some(rule) = error.rule() else {
        // What is said of the shadow stands behind that word.
        let start = in_shadow.then(|| text.find("shadow")).flatten();
        return named(text, start.unwrap_or(0)..text.len(), error.value());
    };
    let starts = match format {
        Format::Toml => rules_of_toml(text, in_shadow),
        Format::Json => rules_of_json(text, in_shadow),
    };
    let start = *starts.get(rule)?;
    let end = starts.get(rule + 1).copied().unwrap_or(text.len());
    named(text, start..end, error.value()).or(Some(start))
}

/// Where the name first stands in the range, in quotes or else alone.
fn named(text: &str, range: Range<usize>, name: &str) -> Option<usize> {
    let part = text.get(range.clone())?;
    if name.is_empty() {
        return None;
    }
    let quoted = ['"', '\''].map(|quote| part.find(&format!("{quote}{name}{quote}")));
    let quoted = quoted.into_iter().flatten().min().map(|at| at + 1);
    let alone = || {
        let mut found = part.match_indices(name).map(|(at, _)| at);
        found.find(|at| {
            let before = part
                .get(..*at)
                .and_then(|before| before.chars().next_back());
            let after = part
                .get(at + name.len()..)
                .and_then(|after| after.chars().next());
            !before.is_some_and(goes_on) && !after.is_some_and(goes_on)
        })
    };
    quoted.or_else(alone).map(|at| range.start + at)
}

fn goes_on(c: char) -> bool {
    c.is_alphanumeric() || "_-:./*".contains(c)
}

fn rules_of_toml(text: &str, in_shadow: bool) -> Vec<usize> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Places {
        rules: Vec<Spanned<IgnoredAny>>,
        shadow: Option<Box<Self>>,
    }
    let mut places: Places = toml::from_str(text).unwrap_or_default();
    if in_shadow {
        places = places.shadow.map(|shadow| *shadow).unwrap_or_default();
    }
    let starts = places.rules.iter().map(|rule| rule.span().start);
    starts.collect()
}

fn rules_of_json(text: &str, in_shadow: bool) -> Vec<usize> {
    let (mut json, mut starts) = (Tokens::of(text), Vec::new());
    let walked = if in_shadow {
        members_of(&mut json, "shadow", |json| rules(json, &mut starts))
    } else {
        rules(&mut json, &mut starts)
    };
    if walked.is_err() {
        starts.clear();
    }
    starts
}

fn rules(json: &mut Tokens<'_>, starts: &mut Vec<usize>) -> Result<(), Broken> {
    members_of(json, "rules", |json| {
        array(json, |json| {
            starts.push(json.position());
            Ok(json.skip()?)
        })
    })
}

/// Walks an object, and takes the value of one of its members.
fn members_of(
    json: &mut Tokens<'_>,
    name: &str,
    mut take: impl FnMut(&mut Tokens<'_>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    object(
        json,
        &mut Seen::default(),
        &[name],
        |json, place| match place {
            Some(_) => take(json),
            None => Ok(json.skip()?),
        },
    )
}
