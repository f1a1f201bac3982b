use std::time::Duration;

use bartizan_core::Principal;
use bartizan_token::{Audiences, ClaimMap, Fault, judge_marks, numeric_date};
use serde_json::{Map, Value};

use bartizan_lookup::{Blame, Trouble};

/// What an introspection answer has to say (RFC 7662 §2.2).
#[derive(Debug)]
pub(crate) struct AnswerRules {
    pub(crate) issuer: String,
    /// None for any, which is dangerous.
    pub(crate) audiences: Option<Audiences>,
    pub(crate) claim_map: ClaimMap,
}

/// How far clocks may differ.
const LEEWAY: Duration = Duration::from_secs(60);

const MAX_SUBJECT_BYTES: usize = 1024;

impl AnswerRules {
    /// Judges an answer at the wall-clock time `now`.
    pub(crate) fn judge(
        &self,
        mut answer: Map<String, Value>,
        now: Duration,
    ) -> Result<Result<Principal, Fault>, Trouble> {
        match answer.remove("active") {
            Some(Value::Bool(true)) => Ok(self.principal(answer, now)),
            Some(Value::Bool(false)) => Ok(Err("the provider says the token is not active")),
            // It answered, so it is not down; what it said is no yes (TV-14).
            Some(_) => Ok(Err("`active` is neither true nor false")),
            // Of another token it may say so.
            None => Err(
                Trouble::new("the answer does not say whether the token is active")
                    .blamed_on(Blame::Nobody),
            ),
        }
    }

    fn principal(&self, answer: Map<String, Value>, now: Duration) -> Result<Principal, Fault> {
        match answer.get("iss") {
            None => {}
            Some(Value::String(issuer)) if *issuer == self.issuer => {}
            Some(_) => return Err("another issuer"),
        }
        match (&self.audiences, answer.get("aud")) {
            (None, _) => {}
            (Some(audiences), Some(aud)) if audiences.contain_one_of(aud) => {}
            (Some(_), Some(_)) => return Err("another audience"),
            (Some(_), None) => return Err("no audience"),
        }
        // A refresh token is active as well, and is nobody's access (TV-7).
        match answer.get("token_type") {
            None => {}
            Some(Value::String(kind)) if kind.eq_ignore_ascii_case("bearer") => {}
            Some(_) => return Err("not a bearer token, says its provider"),
        }
        judge_marks(&answer)?;
        if answer.contains_key("cnf") {
            return Err("the token is bound to a key, which a bearer does not prove to hold");
        }
        let expires_at = judge_dates(&answer, now)?;
        let subject = subject(&answer)?;
        let mut principal = self.claim_map.principal(&self.issuer, subject, &answer)?;
        if let Some(expires_at) = expires_at {
            principal = principal.expires_at(expires_at);
        }
        Ok(principal.claims(answer).build("introspection"))
    }
}

fn judge_dates(answer: &Map<String, Value>, now: Duration) -> Result<Option<Duration>, Fault> {
    let date = |name| answer.get(name).map(numeric_date).transpose();
    let expires_at = date("exp")?;
    if expires_at.is_some_and(|end| end <= now) {
        return Err("the token has expired");
    }
    let latest = now.saturating_add(LEEWAY);
    if date("nbf")?.is_some_and(|from| from > latest) {
        return Err("the token is not valid yet");
    }
    if date("iat")?.is_some_and(|at| at > latest) {
        return Err("the token was issued in the future");
    }
    Ok(expires_at)
}

/// Whom the token stands for: without a subject the client itself, which then equals its subject.
fn subject(answer: &Map<String, Value>) -> Result<&str, Fault> {
    match answer.get("sub").or_else(|| answer.get("client_id")) {
        Some(Value::String(s)) if (1..=MAX_SUBJECT_BYTES).contains(&s.len()) => Ok(s),
        Some(_) => Err("the subject is no string of reasonable length"),
        None => Err("neither subject nor client"),
    }
}

#[cfg(test)]
mod tests {
    use bartizan_core::PrincipalKind;
    use bartizan_token::ClaimNames;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn rules() -> AnswerRules {
        let audience = ["https://mcp.example.com/mcp".to_owned()];
        AnswerRules {
            issuer: "https://auth.example.com".into(),
            audiences: Some(Audiences::new(&audience).unwrap()),
            claim_map: ClaimMap::new(&ClaimNames::default()).unwrap(),
        }
    }

    fn good() -> Value {
        json!({
            "active": true,
            "iss": "https://auth.example.com",
            "aud": "https://mcp.example.com/mcp",
            "sub": "ann",
            "client_id": "agent",
            "scope": "tools:call",
            "token_type": "Bearer",
            "exp": NOW.as_secs() + 300,
        })
    }

    fn judge(change: impl FnOnce(&mut Map<String, Value>)) -> Result<Principal, String> {
        let mut answer = good();
        change(answer.as_object_mut().unwrap());
        let Value::Object(answer) = answer else {
            unreachable!("made above");
        };
        match rules().judge(answer, NOW) {
            Ok(verdict) => verdict.map_err(str::to_owned),
            Err(trouble) => Err(format!("trouble: {}", trouble.reason)),
        }
    }

    #[test]
    fn a_good_answer_is_a_principal() {
        let ann = judge(|_| {}).unwrap();
        assert_eq!(
            (ann.subject(), ann.issuer()),
            ("ann", "https://auth.example.com")
        );
        assert_eq!(
            (ann.kind(), ann.client_id()),
            (PrincipalKind::User, Some("agent"))
        );
        assert!(ann.scopes().eq(["tools:call"]));
        assert_eq!(ann.expires_at(), Some(NOW + Duration::from_secs(300)));
        assert!(!ann.claims().contains_key("active"));
        let program = judge(|a| {
            a.remove("sub");
        });
        assert_eq!(program.unwrap().kind(), PrincipalKind::Service);
    }

    #[test]
    fn tv_2_tv_7_answers_for_others_or_of_other_sorts_are_refused() {
        for (member, value, fault) in [
            (
                "active",
                json!(false),
                "the provider says the token is not active",
            ),
            ("iss", json!("https://evil.example"), "another issuer"),
            ("iss", json!(7), "another issuer"),
            (
                "aud",
                json!("https://mcp.example.com/other"),
                "another audience",
            ),
            ("aud", json!([]), "another audience"),
            ("aud", json!(null), "another audience"),
            (
                "token_type",
                json!("Refresh"),
                "not a bearer token, says its provider",
            ),
            (
                "token_type",
                json!("DPoP"),
                "not a bearer token, says its provider",
            ),
            ("exp", json!(NOW.as_secs()), "the token has expired"),
            ("exp", json!("soon"), "a date is not a number of seconds"),
            (
                "nbf",
                json!(NOW.as_secs() + 61),
                "the token is not valid yet",
            ),
            (
                "iat",
                json!(NOW.as_secs() + 61),
                "the token was issued in the future",
            ),
            (
                "sub",
                json!(""),
                "the subject is no string of reasonable length",
            ),
            (
                "sub",
                json!(7),
                "the subject is no string of reasonable length",
            ),
            (
                "scope",
                json!(7),
                "the scopes are neither text nor a list of names",
            ),
            (
                "cnf",
                json!({"jkt": "x"}),
                "the token is bound to a key, which a bearer does not prove to hold",
            ),
        ] {
            let verdict = judge(|a| {
                a.insert(member.into(), value.clone());
            });
            assert_eq!(verdict.err().as_deref(), Some(fault), "{member} {value}");
        }
        let without = |member: &str| {
            judge(|a| {
                a.remove(member);
            })
        };
        assert_eq!(without("aud").err().as_deref(), Some("no audience"));
        assert!(without("iss").is_ok() && without("exp").is_ok() && without("token_type").is_ok());
    }

    #[test]
    fn tv_14_an_active_that_is_no_boolean_refuses_the_token() {
        for active in [json!("true"), json!(1), json!(null), json!([true])] {
            let verdict = judge(|a| {
                a.insert("active".into(), active.clone());
            });
            let fault = "`active` is neither true nor false";
            assert_eq!(verdict.err().as_deref(), Some(fault), "{active}");
        }
    }

    #[test]
    fn an_answer_that_does_not_say_is_the_providers_trouble_and_not_the_callers() {
        let verdict = judge(|a| {
            a.remove("active");
        });
        assert!(verdict.unwrap_err().starts_with("trouble"));
    }

    #[test]
    fn tv_7_answers_with_marks_of_other_sorts_of_tokens_are_refused() {
        for (member, value) in [
            ("typ", json!("Refresh")),
            ("typ", json!("ID")),
            ("token_use", json!("id")),
            ("nonce", json!("n")),
            ("at_hash", json!("h")),
            ("events", json!({})),
        ] {
            let verdict = judge(|a| {
                a.insert(member.into(), value.clone());
            });
            assert!(verdict.unwrap_err().starts_with("the claims"), "{member}");
        }
        let keycloak = judge(|a| {
            a.insert("typ".into(), json!("Bearer"));
        });
        assert!(keycloak.is_ok());
    }

    proptest! {
        #[test]
        fn nothing_but_true_is_active(text in "\\PC{0,40}") {
            let answer = json!({ "active": text });
            let Value::Object(answer) = answer else { unreachable!("made above") };
            prop_assert!(!matches!(rules().judge(answer, NOW), Ok(Ok(_))));
        }
    }
}
