use serde_json::Value;
use zeroize::Zeroizing;

/// Most keys of one report.
pub(super) const MOST_KEYS: usize = 100;

/// Why a body is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoReport {
    /// It tells no key.
    Unclear,
    /// It tells too many.
    TooMany,
}

/// The keys that a report shows: texts on lines of their own, or JSON: `{"key":"…"}`, or a list of texts or objects, whose
/// key may be called `token`, as GitHub's secret scanning does. What else an object says is not looked at.
pub(super) fn keys_of(body: &[u8]) -> Result<Vec<Zeroizing<String>>, NoReport> {
    let text = std::str::from_utf8(body).map_err(|_| NoReport::Unclear)?;
    let keys = match text.trim_start().starts_with(['{', '[', '"']) {
        true => of_json(text)?,
        false => {
            let keys = text.split_ascii_whitespace().take(MOST_KEYS + 1);
            keys.map(|key| key.to_owned().into()).collect()
        }
    };
    match keys.len() {
        0 => Err(NoReport::Unclear),
        1..=MOST_KEYS => Ok(keys),
        _ => Err(NoReport::TooMany),
    }
}

fn of_json(text: &str) -> Result<Vec<Zeroizing<String>>, NoReport> {
    let value = serde_json::from_str(text).map_err(|_| NoReport::Unclear)?;
    let Value::Array(list) = value else {
        return Ok(vec![of_one(value)?]);
    };
    if list.len() > MOST_KEYS {
        return Err(NoReport::TooMany);
    }
    list.into_iter().map(of_one).collect()
}

fn of_one(value: Value) -> Result<Zeroizing<String>, NoReport> {
    let key = match value {
        Value::Object(mut fields) => match (fields.remove("key"), fields.remove("token")) {
            (Some(key), None) | (None, Some(key)) => key,
            _ => return Err(NoReport::Unclear),
        },
        other => other,
    };
    match key {
        Value::String(key) => Ok(key.trim().to_owned().into()),
        _ => Err(NoReport::Unclear),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(body: &str) -> Result<Vec<String>, NoReport> {
        let keys = keys_of(body.as_bytes())?;
        Ok(keys.iter().map(|key| key.to_string()).collect())
    }

    #[test]
    fn a_report_is_read_in_each_of_its_forms() {
        for (body, expected) in [
            ("a", &["a"][..]),
            (" a\r\nb\n", &["a", "b"]),
            (r#"{"key":"a"}"#, &["a"]),
            (r#""a""#, &["a"]),
            (r#" ["a"," b "]"#, &["a", "b"]),
            (
                r#"[{"token":"a","type":"t","url":"u","source":"content"}]"#,
                &["a"],
            ),
        ] {
            assert_eq!(keys(body).unwrap(), expected, "{body}");
        }
    }

    #[test]
    fn what_tells_no_key_is_no_report() {
        for body in [
            "",
            " \n",
            "[]",
            "{}",
            "[7]",
            "[[\"a\"]]",
            r#"{"key":7}"#,
            r#"{"key":"a""#,
            r#"{"key":"a","token":"b"}"#,
            "\"a\" b",
        ] {
            assert_eq!(keys(body), Err(NoReport::Unclear), "{body}");
        }
        assert_eq!(keys_of(b"\xff"), Err(NoReport::Unclear));
        let many = "a ".repeat(MOST_KEYS + 1);
        assert_eq!(keys(&many), Err(NoReport::TooMany));
        assert_eq!(keys(&many[2..]).unwrap().len(), MOST_KEYS);
        let many = format!("[{}1]", "1,".repeat(MOST_KEYS));
        assert_eq!(keys(&many), Err(NoReport::TooMany));
    }

    proptest! {
        #[test]
        fn no_body_is_more_than_refused(body in any::<Vec<u8>>()) {
            if let Ok(keys) = keys_of(&body) {
                prop_assert!((1..=MOST_KEYS).contains(&keys.len()));
            }
        }

        #[test]
        fn no_json_is_more_than_refused(body in r#"[\[\]{},:"a-c0-9 ]{0,40}"#) {
            let _ = keys_of(body.as_bytes());
        }
    }
}
