use bartizan_core::call::Tokens;

use super::bound::Unreadable;

/// What an approver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Approve,
    Deny,
}

/// Reads `{"decision":"approve"}` or `{"decision":"deny"}`, and nothing else.
pub(super) fn said(body: &[u8]) -> Result<Said, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| Unreadable)?;
    let mut json = Tokens::of(text);
    json.expect(b'{')?;
    string(&mut json, |key| (key == "decision").then_some(()))?;
    json.expect(b':')?;
    let said = string(&mut json, |word| match word {
        "approve" => Some(Said::Approve),
        "deny" => Some(Said::Deny),
        _ => None,
    })?;
    json.expect(b'}')?;
    json.end()?;
    Ok(said)
}

fn string<T>(json: &mut Tokens<'_>, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Unreadable> {
    if json.peek() != Some(b'"') {
        return Err(Unreadable);
    }
    json.string(read)?.ok_or(Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_one_word_under_one_name() {
        assert_eq!(said(br#"{"decision":"approve"}"#), Ok(Said::Approve));
        assert_eq!(said(b" {\"decision\" : \"deny\"}\n"), Ok(Said::Deny));
        for bad in [
            "",
            "null",
            "[]",
            "{}",
            r#""approve""#,
            r#"{"decision":true}"#,
            r#"{"decision":null}"#,
            r#"{"decision":"Approve"}"#,
            r#"{"decision":"approve "}"#,
            r#"{"Decision":"approve"}"#,
            r#"{"decision":"deny","decision":"approve"}"#,
            r#"{"decision":"approve","for":"ever"}"#,
            r#"{"decision":"approve",}"#,
            r#"{"decision":"approve"} {}"#,
            r#"{"decision":"approve"#,
            r#"[{"decision":"approve"}]"#,
            "\u{feff}{\"decision\":\"approve\"}",
        ] {
            assert_eq!(said(bad.as_bytes()), Err(Unreadable), "{bad}");
        }
        assert_eq!(said(b"{\"decision\":\"\xff\"}"), Err(Unreadable));
    }
}
