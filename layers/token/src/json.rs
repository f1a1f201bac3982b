use std::{borrow::Cow, collections::HashSet};

use jiter::JsonValue;
use serde_json::{Map, Value};

/// How deep a document may nest. Claims of real issuers nest four deep.
const MAX_DEPTH: usize = 32;

/// Why a document is not one that every parser reads alike.
pub type Unreadable = &'static str;

/// Reads one JSON object strictly: UTF-8, no repeated member names, no infinities, bounded depth,
/// nothing after it (TV-11).
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    match JsonValue::parse(bytes, false) {
        Ok(JsonValue::Object(members)) => map(&members, MAX_DEPTH),
        Ok(_) => Err("not a JSON object"),
        Err(_) => Err("not JSON"),
    }
}

type Member<'a> = (Cow<'a, str>, JsonValue<'a>);

fn map(members: &[Member<'_>], depth: usize) -> Result<Map<String, Value>, Unreadable> {
    if has_repeated_name(members) {
        return Err("repeated member name");
    }
    let mut map = Map::new();
    for (name, member) in members {
        map.insert(name.to_string(), value(member, depth)?);
    }
    Ok(map)
}

fn has_repeated_name(members: &[Member<'_>]) -> bool {
    if members.len() > 16 {
        let names: HashSet<_> = members.iter().map(|(name, _)| name).collect();
        return names.len() < members.len();
    }
    let mut rest = members;
    while let [(name, _), others @ ..] = rest {
        if others.iter().any(|(other, _)| other == name) {
            return true;
        }
        rest = others;
    }
    false
}

fn value(json: &JsonValue<'_>, depth: usize) -> Result<Value, Unreadable> {
    let depth = depth.checked_sub(1).ok_or("nested too deep")?;
    Ok(match json {
        JsonValue::Null => Value::Null,
        JsonValue::Bool(bool) => Value::Bool(*bool),
        JsonValue::Int(int) => Value::from(*int),
        JsonValue::Float(float) => {
            Value::Number(serde_json::Number::from_f64(*float).ok_or("number out of range")?)
        }
        JsonValue::Str(text) => Value::String(text.to_string()),
        JsonValue::Array(items) => items
            .iter()
            .map(|item| value(item, depth))
            .collect::<Result<_, _>>()?,
        JsonValue::Object(members) => Value::Object(map(members, depth)?),
        // Another crate may switch on the parser's big integers.
        #[allow(unreachable_patterns)]
        _ => return Err("number out of range"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tv_11_repeated_members_are_refused_at_every_level_even_if_spelled_differently() {
        assert!(object(br#"{"a":1,"b":{"a":1}}"#).is_ok());
        for twice in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":[{"a":1,"a":2}]}"#,
        ] {
            assert_eq!(object(twice.as_bytes()), Err("repeated member name"));
        }
    }

    #[test]
    fn what_two_parsers_may_read_differently_is_refused() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(40), "}".repeat(40));
        for text in [
            "",
            "[]",
            "7",
            "{} {}",
            "{}x",
            "{'a':1}",
            "{\"a\":NaN}",
            "{\"a\":1e400}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1,}",
            "\u{feff}{}",
            &deep,
        ] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
    }
}
