use bartizan_core::call::Tokens;

use crate::lists::json::{Broken, NOT_JSON, Seen, object, string};

/// Most bytes of a definition.
const MOST_BYTES: usize = 16 << 10;

/// The definition on one line.
///
/// # Errors
///
/// Why it is none of a tool of this name.
pub(super) fn checked(name: &str, json: &str) -> Result<Box<str>, String> {
    if json.len() > MOST_BYTES {
        return Err("has a definition of more than 16 KiB".to_owned());
    }
    // No string of JSON has a line break.
    let line: String = json.split(['\n', '\r']).map(str::trim).collect();
    check(name, &line).map_err(|Broken(problem)| format!("has a definition that {problem}"))?;
    Ok(line.into())
}

fn check(name: &str, line: &str) -> Result<(), Broken> {
    let mut json = Tokens::of(line);
    let mut has = [false; 3];
    let known = ["name", "description", "inputSchema"];
    object(&mut json, &mut Seen::default(), &known, |json, place| {
        if let Some(has) = place.and_then(|place| has.get_mut(place)) {
            *has = true;
        }
        match place {
            Some(0) if string(json, |text| text == name)? => Ok(()),
            Some(0) => Err(Broken("is of another name")),
            Some(1) => string(json, |_| ()),
            // Whatever it says, clients take it for one.
            Some(_) if json.peek() == Some(b'{') => Ok(json.skip()?),
            Some(_) => Err(Broken("has an `inputSchema` that is no object")),
            None => Ok(json.skip()?),
        }
    })?;
    match (json.peek(), has) {
        (None, [true, true, true]) => Ok(()),
        (None, [false, ..]) => Err(Broken("has no `name`")),
        (None, [_, false, _]) => Err(Broken("has no `description`")),
        (None, _) => Err(Broken("has no `inputSchema`")),
        (Some(_), _) => Err(NOT_JSON),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_an_object_of_the_tools_name_on_one_line() {
        let written = r#" {"name": "x",
            "description": "a  b",
            "inputSchema": {"type": "object"}} "#;
        let one_line = r#"{"name": "x","description": "a  b","inputSchema": {"type": "object"}}"#;
        assert_eq!(checked("x", written).as_deref(), Ok(one_line));
        for (written, problem) in [
            ("", "is not JSON"),
            ("[]", "something else where a list or an object"),
            ("{}", "has no `name`"),
            (r#"{"name":7}"#, "where a string should be"),
            (r#"{"name":"X"}"#, "of another name"),
            (r#"{"name":"x"}"#, "no `description`"),
            (r#"{"name":"x","description":""}"#, "no `inputSchema`"),
            (
                r#"{"name":"x","description":"","inputSchema":[]}"#,
                "that is no object",
            ),
            (
                r#"{"name":"x","description":"","inputSchema":{"a":}}"#,
                "is not JSON",
            ),
            (
                r#"{"name":"x","description":"","inputSchema":{}}7"#,
                "is not JSON",
            ),
            (
                r#"{"name":"x","description":"","inputSchema":{},"n\u0061me":"y"}"#,
                "has a member twice",
            ),
            (
                r#"{"name":"x","description":"","inputSchema":{},"Name":"y"}"#,
                "only in case",
            ),
        ] {
            let error = checked("x", written).unwrap_err();
            assert!(error.contains(problem), "{written}: {error}");
        }
        let long = format!(r#"{{"name":"x","description":"{:17000}"}}"#, "");
        assert!(checked("x", &long).unwrap_err().contains("16 KiB"));
    }
}
