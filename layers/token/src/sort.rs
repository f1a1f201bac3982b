use serde_json::{Map, Value};

use crate::Fault;

/// Refuses claims that are those of something else than an access token (TV-7): with a mark of an ID
/// token (`nonce`, `at_hash`, `c_hash`, `s_hash`), of a security event (`events`), or with a `typ` or
/// `token_use` that says so.
///
/// For where no type that is signed, or vouched for otherwise, says more. What has no such mark
/// passes.
///
/// # Errors
///
/// If there is such a mark, or one that can't be read.
pub fn judge_marks(claims: &Map<String, Value>) -> Result<(), Fault> {
    let has = |name: &str| claims.contains_key(name);
    if ["nonce", "at_hash", "c_hash", "s_hash"]
        .into_iter()
        .any(has)
    {
        return Err("the claims are those of an ID token");
    }
    if has("events") {
        return Err("the claims are those of a security event token");
    }
    if claims.get("token_use").is_some_and(|u| u != "access") {
        return Err("the claims say that it is no access token");
    }
    let foreign = ["id", "refresh", "offline", "logout"];
    let says_foreign = |typ: &Value| {
        typ.as_str()
            .is_none_or(|typ| foreign.iter().any(|f| typ.eq_ignore_ascii_case(f)))
    };
    if claims.get("typ").is_some_and(says_foreign) {
        return Err("the claims say that it is no access token");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tv_7_marks_of_other_sorts_of_tokens_are_refused() {
        for claims in [
            json!({"nonce": "n"}),
            json!({"at_hash": "h"}),
            json!({"events": {}}),
            json!({"token_use": "id"}),
            json!({"token_use": null}),
            json!({"typ": "ID"}),
            json!({"typ": "Refresh"}),
            json!({"typ": 7}),
        ] {
            assert!(
                judge_marks(claims.as_object().unwrap()).is_err(),
                "{claims}"
            );
        }
        for claims in [
            json!({}),
            json!({"typ": "Bearer", "auth_time": 1, "azp": "c"}),
            json!({"token_use": "access"}),
        ] {
            assert!(judge_marks(claims.as_object().unwrap()).is_ok(), "{claims}");
        }
    }
}
