use bartizan_token::{Fault, judge_marks};
use serde_json::{Map, Value};

/// Which sort of token is an access token here (TV-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum TokenProfile {
    /// RFC 9068: the header's `typ` is `at+jwt` or `application/at+jwt`.
    #[default]
    AccessToken,
    /// Also takes `typ` `JWT` and tokens without `typ`, which many authorization servers issue.
    ///
    /// Since the type then says nothing, tokens with a mark of an ID token (`nonce`, `at_hash`,
    /// `c_hash`, `s_hash`, or a `typ` or `token_use` claim that says so) or of a security event
    /// (`events`) are refused. An ID token without any such mark is told apart by its audience
    /// alone, or by a claim that only access tokens have:
    /// [`require_claim`](crate::IssuerConfig::require_claim).
    GenericAccessToken,
}

impl TokenProfile {
    /// Judges the header's `typ`. Everything not listed is foreign: `dpop+jwt`, `logout+jwt` …
    pub(crate) fn judge_type(self, typ: Option<&Value>) -> Result<(), Fault> {
        const FOREIGN: Fault = "the type is not that of an access token";
        let typ = match typ {
            Some(Value::String(typ)) => typ.to_ascii_lowercase(),
            None if self == Self::GenericAccessToken => return Ok(()),
            _ => return Err(FOREIGN),
        };
        match typ.strip_prefix("application/").unwrap_or(&typ) {
            "at+jwt" => Ok(()),
            "jwt" if self == Self::GenericAccessToken => Ok(()),
            _ => Err(FOREIGN),
        }
    }

    /// Judges what the claims say about the token's sort.
    pub(crate) fn judge_claims(self, claims: &Map<String, Value>) -> Result<(), Fault> {
        match self {
            Self::AccessToken => Ok(()),
            Self::GenericAccessToken => judge_marks(claims),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tv_7_types_are_media_types_and_compare_without_case() {
        for typ in [
            "at+jwt",
            "AT+JWT",
            "application/at+jwt",
            "Application/At+Jwt",
        ] {
            let typ = json!(typ);
            assert!(TokenProfile::AccessToken.judge_type(Some(&typ)).is_ok());
            assert!(
                TokenProfile::GenericAccessToken
                    .judge_type(Some(&typ))
                    .is_ok()
            );
        }
    }

    #[test]
    fn tv_7_plain_jwt_and_no_type_need_the_generic_profile() {
        for typ in [Some(json!("JWT")), Some(json!("jwt")), None] {
            assert!(TokenProfile::AccessToken.judge_type(typ.as_ref()).is_err());
            assert!(
                TokenProfile::GenericAccessToken
                    .judge_type(typ.as_ref())
                    .is_ok()
            );
        }
    }

    #[test]
    fn tv_7_foreign_types_are_refused_by_both_profiles() {
        for typ in [
            json!("dpop+jwt"),
            json!("oauth-id-jag+jwt"),
            json!("logout+jwt"),
            json!("secevent+jwt"),
            json!("id+jwt"),
            json!(""),
            json!(7),
            json!(null),
            json!("text/at+jwt"),
            json!("at+jwt "),
        ] {
            assert!(
                TokenProfile::AccessToken.judge_type(Some(&typ)).is_err(),
                "{typ}"
            );
            assert!(
                TokenProfile::GenericAccessToken
                    .judge_type(Some(&typ))
                    .is_err(),
                "{typ}"
            );
        }
    }

    #[test]
    fn tv_7_the_generic_profile_refuses_marks_of_other_tokens() {
        for claims in [
            json!({"nonce": "n"}),
            json!({"at_hash": "h"}),
            json!({"events": {}}),
            json!({"token_use": "id"}),
            json!({"typ": "ID"}),
            json!({"typ": "Refresh"}),
            json!({"typ": 7}),
        ] {
            let claims = claims.as_object().unwrap();
            assert!(
                TokenProfile::GenericAccessToken
                    .judge_claims(claims)
                    .is_err(),
                "{claims:?}"
            );
        }
        let keycloak = json!({"typ": "Bearer", "auth_time": 1, "azp": "c"});
        assert!(
            TokenProfile::GenericAccessToken
                .judge_claims(keycloak.as_object().unwrap())
                .is_ok()
        );
    }
}
