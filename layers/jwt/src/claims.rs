use std::time::Duration;

use bartizan_token::{Audiences, Fault, numeric_date};
use serde_json::{Map, Value};

use crate::{TokenProfile, dpop::Binding};

const MAX_SUBJECT_BYTES: usize = 1024;

/// What the claims of every token have to say.
#[derive(Debug)]
pub(crate) struct ClaimRules {
    pub(crate) issuer: String,
    pub(crate) audiences: Audiences,
    pub(crate) leeway: Duration,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) profile: TokenProfile,
    pub(crate) strict_rfc9068: bool,
}

/// The claims that were judged.
#[derive(Debug, PartialEq)]
pub(crate) struct Judged<'a> {
    pub(crate) subject: &'a str,
    /// What its user has to prove to hold (RFC 7800).
    pub(crate) binding: Option<Binding>,
    pub(crate) expires_at: Duration,
}

impl ClaimRules {
    /// Judges the claims at the wall-clock time `now`.
    pub(crate) fn judge<'a>(
        &self,
        claims: &'a Map<String, Value>,
        now: Duration,
    ) -> Result<Judged<'a>, Fault> {
        match claims.get("iss") {
            Some(Value::String(issuer)) if *issuer == self.issuer => {}
            Some(_) => return Err("another issuer"),
            None => return Err("no issuer"),
        }
        match claims.get("aud") {
            Some(aud) if self.audiences.contain_one_of(aud) => {}
            Some(_) => return Err("another audience"),
            None => return Err("no audience"),
        }
        let expires_at = self.judge_dates(claims, now)?;
        let subject = match claims.get("sub") {
            Some(Value::String(s)) if (1..=MAX_SUBJECT_BYTES).contains(&s.len()) => s,
            Some(_) => return Err("the subject is no string of reasonable length"),
            None => return Err("no subject"),
        };
        self.profile.judge_claims(claims)?;
        if self.strict_rfc9068 {
            let is_text =
                |name| matches!(claims.get(name), Some(Value::String(s)) if !s.is_empty());
            if !is_text("client_id") || !is_text("jti") || !claims.contains_key("iat") {
                return Err("a claim that RFC 9068 requires is missing");
            }
        }
        Ok(Judged {
            subject,
            binding: Binding::of(claims)?,
            expires_at,
        })
    }

    fn judge_dates(&self, claims: &Map<String, Value>, now: Duration) -> Result<Duration, Fault> {
        let date = |name| claims.get(name).map(numeric_date).transpose();
        let expires_at = date("exp")?.ok_or("no expiry")?;
        if !claims.get("exp").is_some_and(Value::is_u64) {
            return Err("the expiry is not a whole number of seconds");
        }
        if now >= expires_at.saturating_add(self.leeway) {
            return Err("the token has expired");
        }
        let latest = now.saturating_add(self.leeway);
        if date("nbf")?.is_some_and(|from| from > latest) {
            return Err("the token is not valid yet");
        }
        let issued_at = date("iat")?;
        if issued_at.is_some_and(|at| at > latest) {
            return Err("the token was issued in the future");
        }
        let lifetime = expires_at.saturating_sub(issued_at.unwrap_or(now));
        if self.max_lifetime.is_some_and(|most| lifetime > most) {
            return Err("the token is good for longer than is allowed");
        }
        Ok(expires_at)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn judge(change: impl FnOnce(&mut Map<String, Value>)) -> Result<Duration, Fault> {
        let rules = ClaimRules {
            issuer: "https://auth.example.com".into(),
            audiences: Audiences::new(&["https://mcp.example.com/mcp".into()]).unwrap(),
            leeway: Duration::from_secs(60),
            max_lifetime: Some(Duration::from_secs(3600)),
            profile: TokenProfile::AccessToken,
            strict_rfc9068: false,
        };
        let mut claims = json!({
            "iss": "https://auth.example.com",
            "aud": "https://mcp.example.com/mcp",
            "sub": "ann",
            "exp": NOW + 300,
        });
        change(claims.as_object_mut().unwrap());
        let now = Duration::from_secs(NOW);
        rules
            .judge(claims.as_object().unwrap(), now)
            .map(|j| j.expires_at)
    }

    fn with(name: &str, value: Value) -> Result<Duration, Fault> {
        judge(|claims| drop(claims.insert(name.into(), value)))
    }

    #[test]
    fn seed_a7_each_required_claim_is_required() {
        assert!(judge(|_| ()).is_ok());
        for name in ["iss", "aud", "sub", "exp"] {
            assert!(judge(|claims| drop(claims.remove(name))).is_err(), "{name}");
            for wrong in [
                json!(null),
                json!(7),
                json!([]),
                json!({}),
                json!(""),
                json!(true),
            ] {
                assert!(with(name, wrong.clone()).is_err(), "{name} {wrong}");
            }
        }
    }

    #[test]
    fn seed_a5_leeway_is_honoured_to_the_second() {
        assert!(with("exp", json!(NOW - 59)).is_ok());
        assert_eq!(with("exp", json!(NOW - 60)), Err("the token has expired"));
        assert_eq!(with("exp", json!(NOW - 61)), Err("the token has expired"));
    }

    #[test]
    fn a_token_that_is_good_for_too_long_is_refused_whenever_it_was_issued() {
        const TOO_LONG: Result<Duration, Fault> =
            Err("the token is good for longer than is allowed");
        let between = |iat: Option<u64>, exp: u64| {
            judge(|claims| {
                claims.insert("exp".into(), exp.into());
                if let Some(iat) = iat {
                    claims.insert("iat".into(), iat.into());
                }
            })
        };
        assert!(between(None, NOW + 3600).is_ok());
        assert_eq!(between(None, NOW + 3601), TOO_LONG);
        assert!(between(Some(NOW - 3000), NOW + 600).is_ok());
        assert_eq!(between(Some(NOW - 3001), NOW + 600), TOO_LONG);
        assert_eq!(between(Some(0), NOW + 600), TOO_LONG);
        assert!(between(Some(NOW + 60), NOW + 3660).is_ok());
    }

    #[test]
    fn seed_a6_nbf_and_iat_in_the_future_are_refused() {
        for name in ["nbf", "iat"] {
            assert!(with(name, json!(NOW + 60)).is_ok());
            assert!(with(name, json!(NOW + 61)).is_err());
            assert!(with(name, json!(NOW + 3600)).is_err());
            assert!(with(name, json!("soon")).is_err());
            assert!(with(name, json!(null)).is_err());
        }
    }

    #[test]
    fn tv_6_dates_that_are_none_are_refused_without_panic() {
        for wrong in [
            json!((NOW + 300).to_string()),
            json!(1e300),
            json!(-1),
            json!(-1e300),
            json!(i64::MIN),
            json!(u64::MAX),
            json!((NOW + 300) * 1000),
            json!([NOW + 300]),
            json!(0.5),
            json!(1e-300),
        ] {
            assert!(with("exp", wrong.clone()).is_err(), "{wrong}");
        }
        assert!(
            with("exp", json!(NOW as f64 + 300.5)).is_err(),
            "TV-6: a float"
        );
        assert!(with("iat", json!(NOW as f64 - 0.5)).is_ok(), "RFC 7519 §2");
    }

    #[test]
    fn tv_4_the_issuer_is_compared_exactly() {
        for other in [
            "https://auth.example.com/",
            "https://AUTH.example.com",
            "https://auth.example.com:443",
            "https://auth.example.com.evil.example",
            "http://auth.example.com",
        ] {
            assert!(with("iss", json!(other)).is_err(), "{other}");
        }
        assert!(with("iss", json!(["https://auth.example.com"])).is_err());
    }

    #[test]
    fn dp_2_a_bound_token_is_no_bearer_token() {
        assert!(with("cnf", json!({"jkt": "x"})).is_err());
        assert!(with("cnf", json!(null)).is_err());
    }
}
