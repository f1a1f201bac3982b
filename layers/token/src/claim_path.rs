use serde_json::{Map, Value};

use crate::{Fault, TokenConfigError};

/// A claim, possibly inside others: `realm_access.roles`. A name with `://` in it is taken whole.
#[derive(Debug)]
pub(crate) struct ClaimPath(Vec<String>);

impl ClaimPath {
    pub(crate) fn new(setting: &'static str, text: &str) -> Result<Self, TokenConfigError> {
        let names: Vec<_> = if text.contains("://") {
            vec![text.to_owned()]
        } else {
            text.split('.').map(str::to_owned).collect()
        };
        if names.iter().any(String::is_empty) {
            return Err(TokenConfigError::new(
                setting,
                text,
                "is no path of claim names",
            ));
        }
        Ok(Self(names))
    }

    /// What stands there; an error if something that is no object stands on the way, as where it says less would
    /// permit more.
    pub(crate) fn find_strictly<'a>(
        &self,
        claims: &'a Map<String, Value>,
    ) -> Result<Option<&'a Value>, Fault> {
        let Some((last, outer)) = self.0.split_last() else {
            return Ok(None);
        };
        let mut claims = claims;
        for name in outer {
            claims = match claims.get(name) {
                Some(Value::Object(inner)) => inner,
                Some(_) => return Err("a claim is no object where another is looked for in it"),
                None => return Ok(None),
            };
        }
        Ok(claims.get(last))
    }

    pub(crate) fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, inner) = self.0.split_first()?;
        inner
            .iter()
            .try_fold(claims.get(first)?, |value, name| value.get(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_empty_names_do_not_build() {
        for path in ["", ".", "a.", ".a", "a..b"] {
            assert!(ClaimPath::new("roles_claim", path).is_err(), "{path}");
        }
    }
}
