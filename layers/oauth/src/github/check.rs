use std::time::Duration;

use bartizan_token::Fault;
use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use bartizan_lookup::{Blame, Trouble};

/// Whom GitHub's token check found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) scopes: Vec<String>,
    /// Tokens of GitHub Apps end, if the app wants it.
    pub(super) expires_at: Option<Duration>,
}

/// Reads the answer for a token of this app.
pub(super) fn read_check(
    answer: &Map<String, Value>,
    client: &str,
) -> Result<Result<Found, Fault>, Trouble> {
    let strange = || strange("GitHub's token check does not tell app and user");
    let app = answer.get("app").and_then(|app| app.get("client_id"));
    let app = app.and_then(Value::as_str).ok_or_else(strange)?;
    if app != client {
        return Ok(Err("a token of another app"));
    }
    let Some(user) = answer.get("user").filter(|user| !user.is_null()) else {
        return Ok(Err("a token of no user"));
    };
    let id = user.get("id").and_then(Value::as_u64).ok_or_else(strange)?;
    let login = user.get("login").and_then(Value::as_str);
    let login = login.filter(|login| is_login(login)).ok_or_else(strange)?;
    let scopes = answer.get("scopes").and_then(Value::as_array);
    let scopes = scopes.into_iter().flatten().take(256);
    Ok(Ok(Found {
        id,
        login: login.to_owned(),
        scopes: scopes
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        expires_at: expiry(answer)?,
    }))
}

/// It goes into paths; users of Enterprise Managed have an underscore.
fn is_login(login: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    let name = login.trim_end_matches("[bot]");
    (1..=128).contains(&login.len()) && name.bytes().all(is_plain)
}

/// A date that can't be read is trouble, since the token may have ended.
fn expiry(answer: &Map<String, Value>) -> Result<Option<Duration>, Trouble> {
    let read = |text: &str| {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(at.unix_timestamp()).ok()
    };
    match answer.get("expires_at") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => match read(text) {
            Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
            None => Err(strange("GitHub's token check tells no date as expiry")),
        },
        Some(_) => Err(strange("GitHub's token check tells no date as expiry")),
    }
}

/// Another token may be told of otherwise.
fn strange(reason: &'static str) -> Trouble {
    Trouble::new(reason).blamed_on(Blame::Nobody)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn expires_at(value: Value) -> Result<Option<u64>, String> {
        let answer = json!({
            "app": { "client_id": "app" },
            "user": { "id": 7, "login": "ann" },
            "expires_at": value,
        });
        match read_check(answer.as_object().unwrap(), "app") {
            Ok(Ok(found)) => Ok(found.expires_at.map(|at| at.as_secs())),
            Ok(Err(fault)) => Err(fault.to_owned()),
            Err(trouble) => Err(trouble.reason),
        }
    }

    #[test]
    fn tv_14_an_expiry_is_rfc_3339_or_trouble() {
        assert_eq!(expires_at(json!(null)), Ok(None));
        for text in ["2027-01-15T08:00:00Z", "2027-01-15T09:00:00+01:00"] {
            assert_eq!(expires_at(json!(text)), Ok(Some(1_800_000_000)), "{text}");
        }
        for value in [
            json!(""),
            json!("soon"),
            json!("2027-01-15"),
            json!("1969-12-31T23:59:59Z"),
            json!("2027-13-15T08:00:00Z"),
            json!(1_800_000_000),
            json!(false),
        ] {
            assert!(expires_at(value.clone()).is_err(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", date in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[Z+-][0-9:]{0,5}") {
            let _ = expires_at(json!(text));
            let _ = expires_at(json!(date));
        }
    }
}
