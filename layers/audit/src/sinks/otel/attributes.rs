use bartizan_core::printable;
use opentelemetry::{Key, logs::AnyValue};
use serde_json::{Map, Value};

use crate::{Answer, Record};

/// What the log record says elsewhere: its severity, its event's name, its times and its trace.
const CARRIED: &[&str] = &[
    "event_type",
    "severity",
    "timestamp",
    "trace_id",
    "parent_id",
];

/// The record's members, as its line has them, under the names of the semantic conventions or else under ours. Members
/// that the conventions don't know need no care here, so that none is forgotten.
pub(super) fn of(record: &Record<'_>, line: &[u8]) -> Vec<(Key, AnyValue)> {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(line) else {
        let line = visible(&String::from_utf8_lossy(line));
        return vec![(Key::new("bartizan.line"), line.into())];
    };
    for nested in ["metadata", "decision"] {
        if let Some(Value::Object(inner)) = members.remove(nested) {
            // What a decision says has a name of its own; metadata and record share none.
            let prefix = if nested == "decision" {
                "decision."
            } else {
                ""
            };
            let inner = inner.into_iter();
            members.extend(inner.map(|(name, value)| (format!("{prefix}{name}"), value)));
        }
    }
    let kind = record.metadata.call_kind;
    let is_rpc = matches!(kind, Some("request" | "notification"));
    let mut attributes = Vec::with_capacity(members.len() + 2);
    if let Some(error) = error_type(record) {
        attributes.push((Key::new("error.type"), error.into()));
    }
    for (member, value) in members {
        if CARRIED.contains(&&*member) {
            continue;
        }
        let mut push = |key, value| attributes.push((key, value));
        match (&*member, value) {
            ("http_method", Value::String(method)) => http_method(&method, push),
            ("rpc_id", Value::String(id)) => {
                push(Key::new("jsonrpc.request.id"), request_id(&id).into());
            }
            ("rpc_code", Value::Number(code)) => {
                push(
                    Key::new("rpc.response.status_code"),
                    code.to_string().into(),
                );
            }
            (name, value) => {
                let known = convention(name, is_rpc).map(Key::new);
                let key = known.unwrap_or_else(|| Key::new(format!("bartizan.{name}")));
                if let Some(value) = any(value) {
                    push(key, value);
                }
            }
        }
    }
    attributes
}

/// The name that the semantic conventions (1.42) have for a member.
fn convention(member: &str, is_rpc: bool) -> Option<&'static str> {
    Some(match member {
        "event_id" => "log.record.uid",
        "user_id" => "user.id",
        "user_role" => "user.roles",
        "tool_name" => "gen_ai.tool.name",
        "prompt" => "gen_ai.prompt.name",
        "resource_id" => "mcp.resource.uri",
        "protocol_version" => "mcp.protocol.version",
        // Of other calls it is a word of ours.
        "action" if is_rpc => "mcp.method.name",
        "ip_address" => "client.address",
        "user_agent" => "user_agent.original",
        "status" => "http.response.status_code",
        "http_path" => "url.path",
        "request_bytes" => "http.request.body.size",
        "response_bytes" => "http.response.body.size",
        _ => return None,
    })
}

/// Why the request came to nothing, in the words that the conventions for MCP want.
fn error_type(record: &Record<'_>) -> Option<String> {
    if let Some(denial) = record.metadata.denial {
        return Some(denial.name().to_owned());
    }
    match record.answer? {
        Answer::ToolError => Some("tool_error".to_owned()),
        answer => answer.code().map(|code| code.to_string()),
    }
}

/// Methods that the conventions for HTTP know; others may be anything.
const METHODS: &[&str] = &[
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE",
];

fn http_method(method: &str, mut push: impl FnMut(Key, AnyValue)) {
    let known = METHODS.iter().find(|known| **known == method);
    let name = known.copied().unwrap_or("_OTHER");
    push(Key::new("http.request.method"), name.into());
    if known.is_none() {
        let method = visible(method);
        push(Key::new("http.request.method_original"), method.into());
    }
}

/// The id without the quotes of its JSON text.
fn request_id(json: &str) -> String {
    match serde_json::from_str(json) {
        Ok(Value::String(id)) => visible(&id),
        _ => visible(json),
    }
}

/// `None` of `null`.
fn any(value: Value) -> Option<AnyValue> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => value.into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) if !is_whole(number) => number.into(),
            _ => number.to_string().into(),
        },
        Value::String(text) => visible(&text).into(),
        Value::Array(items) => items.into_iter().filter_map(any).collect(),
        Value::Object(members) => map(members),
    })
}

fn is_whole(number: f64) -> bool {
    number.fract() == 0.0
}

fn map(members: Map<String, Value>) -> AnyValue {
    let members = members.into_iter();
    let shown = members.filter_map(|(name, value)| Some((visible(&name), any(value)?)));
    shown.collect()
}

/// Text that no terminal obeys, with the mark of what was cut as the other forms have it.
fn visible(text: &str) -> String {
    match text.strip_suffix('…') {
        Some(kept) => format!("{}...", printable(kept, usize::MAX)),
        None => printable(text, usize::MAX).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gaps::Missing;

    fn of_line(line: &str) -> Vec<(String, AnyValue)> {
        let record = Record::gap(Duration::ZERO, Missing::default(), &[]);
        let attributes = of(&record, line.as_bytes()).into_iter();
        attributes
            .map(|(key, value)| (key.to_string(), value))
            .collect()
    }

    #[test]
    fn a_line_that_can_not_be_read_is_shown_whole() {
        let shown = of_line("{\"a\":1\n");
        assert_eq!(
            shown,
            [("bartizan.line".to_owned(), "{\"a\":1\\u{a}".into())]
        );
    }

    #[test]
    fn numbers_stay_numbers_where_they_can() {
        let shown = of_line(r#"{"a":-3,"b":18446744073709551615,"c":0.5,"d":null}"#);
        let expected = [
            ("bartizan.a".to_owned(), AnyValue::Int(-3)),
            ("bartizan.b".to_owned(), "18446744073709551615".into()),
            ("bartizan.c".to_owned(), AnyValue::Double(0.5)),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_method_that_is_none_of_http_is_other_and_named() {
        let shown = of_line(r#"{"metadata":{"http_method":"BREW"}}"#);
        let expected = [
            ("http.request.method".to_owned(), "_OTHER".into()),
            ("http.request.method_original".to_owned(), "BREW".into()),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn an_id_loses_the_quotes_of_its_json_and_no_control_with_them() {
        for (text, shown) in [
            (r#""\"a\\u001bb\"""#, "a\\u{1b}b"),
            (r#""7""#, "7"),
            (r#""\"long…""#, "\"long..."),
        ] {
            let line = format!(r#"{{"metadata":{{"rpc_id":{text}}}}}"#);
            let expected = [("jsonrpc.request.id".to_owned(), shown.into())];
            assert_eq!(of_line(&line), expected);
        }
    }
}
