use serde_json::{Map, Value};

use crate::{Fault, TokenConfigError, claim_path::ClaimPath};

/// A claim without which a token is none: the mark of an issuer's access tokens, by which they differ
/// from its other tokens where the type does not tell (TV-7).
///
/// ```
/// use bartizan_token::RequiredClaim;
///
/// let client = RequiredClaim::from("azp").or("client_id");
/// let sort = RequiredClaim::from("typ").values(["Bearer", "DPoP"]);
/// assert_eq!((client.claims.len(), sort.values.len()), (2, 2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct RequiredClaim {
    /// The claims of which a token needs one, as paths like `roles_claim`.
    pub claims: Vec<String>,
    /// What it may say, exactly; by default anything but nothing: `null`, an empty text or an empty list.
    pub values: Vec<String>,
}

/// The same, read.
#[derive(Debug)]
pub(crate) struct Requirement {
    paths: Vec<ClaimPath>,
    values: Vec<String>,
}

impl RequiredClaim {
    /// Takes another claim instead, too.
    #[must_use]
    pub fn or(mut self, path: impl Into<String>) -> Self {
        self.claims.push(path.into());
        self
    }

    /// What the claim may say.
    #[must_use]
    pub fn values<I: IntoIterator<Item: Into<String>>>(mut self, values: I) -> Self {
        self.values = values.into_iter().map(Into::into).collect();
        self
    }
}

impl From<&str> for RequiredClaim {
    fn from(path: &str) -> Self {
        Self::default().or(path)
    }
}

impl From<String> for RequiredClaim {
    fn from(path: String) -> Self {
        Self::default().or(path)
    }
}

impl Requirement {
    pub(crate) fn new(claim: &RequiredClaim) -> Result<Self, TokenConfigError> {
        const SETTING: &str = "required_claims";
        if claim.claims.is_empty() {
            return Err(TokenConfigError::of(SETTING, "name no claim"));
        }
        let paths = claim.claims.iter();
        Ok(Self {
            paths: paths
                .map(|path| ClaimPath::new(SETTING, path))
                .collect::<Result<_, _>>()?,
            values: claim.values.clone(),
        })
    }

    pub(crate) fn judge(&self, claims: &Map<String, Value>) -> Result<(), Fault> {
        let mut found = self.paths.iter().filter_map(|path| path.find(claims));
        if found.any(|claim| self.suits(claim)) {
            return Ok(());
        }
        Err("a claim that access tokens of this issuer have is missing, or says something else")
    }

    fn suits(&self, claim: &Value) -> bool {
        if !self.values.is_empty() {
            return self.values.iter().any(|value| claim == value.as_str());
        }
        match claim {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passes(required: RequiredClaim, claims: Value) -> bool {
        let requirement = Requirement::new(&required).unwrap();
        requirement.judge(claims.as_object().unwrap()).is_ok()
    }

    #[test]
    fn a_claim_has_to_be_there_and_say_something() {
        for there in [json!("c"), json!(["c"]), json!(7), json!({}), json!(false)] {
            assert!(passes("cid".into(), json!({ "cid": there })), "{there}");
        }
        for empty in [json!(null), json!(""), json!([])] {
            assert!(!passes("cid".into(), json!({ "cid": empty })), "{empty}");
        }
        assert!(!passes("cid".into(), json!({ "CID": "c", "azp": "c" })));
        assert!(passes("a.b".into(), json!({ "a": { "b": 1 } })));
        assert!(!passes("a.b".into(), json!({ "a": "b", "a.b": 1 })));
    }

    #[test]
    fn a_value_is_compared_exactly_and_of_several_claims_one_will_do() {
        let sort = || RequiredClaim::from("typ").values(["Bearer", "DPoP"]);
        assert!(passes(sort(), json!({ "typ": "DPoP" })));
        for other in [json!("bearer"), json!("ID"), json!(["Bearer"]), json!("")] {
            assert!(!passes(sort(), json!({ "typ": other })), "{other}");
        }
        let client = || RequiredClaim::from("azp").or("client_id");
        assert!(passes(client(), json!({ "client_id": "c" })));
        assert!(passes(client(), json!({ "azp": "", "client_id": "c" })));
        assert!(!passes(client(), json!({ "aud": "c" })));
    }

    #[test]
    fn what_names_no_claim_does_not_build() {
        assert!(Requirement::new(&RequiredClaim::default()).is_err());
        assert!(Requirement::new(&"a..b".into()).is_err());
        assert!(Requirement::new(&"".into()).is_err());
    }
}
