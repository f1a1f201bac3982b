//! What a JSON-RPC message of the server says, as far as it matters.

use bartizan_core::call::{Broken, Tokens, is_alike};
use serde_json::Value;

/// Why an answer is not what it may be, for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) &'static str);

impl From<Broken> for Fault {
    fn from(_: Broken) -> Self {
        NOT_JSON
    }
}

pub(crate) const NOT_JSON: Fault = Fault("is not JSON");

/// A message, by what it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message<'t> {
    /// A request or notification of the server's.
    Own,
    /// The error that the request got.
    Error,
    Result(ToolResult<'t>),
}

/// The result of a tool.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ToolResult<'t> {
    /// Its `structuredContent`, as JSON text.
    pub(super) structured: Option<&'t str>,
    pub(super) is_error: bool,
    /// What it says that it is (N-20): text in JSON.
    pub(super) kind: Option<&'t str>,
    /// Whether it has the task in which the call goes on (2025-11-25).
    pub(super) has_task: bool,
}

/// Reads a message that may answer the request with this id, as JSON text.
pub(super) fn read<'t>(text: &'t str, request: &str) -> Result<Message<'t>, Fault> {
    let mut has = [None; 5];
    let known = ["result", "error", "method", "id", "jsonrpc"];
    members(text, &known, &mut has)?;
    let [result, error, method, id, _] = has;
    match (result, error, method) {
        (None, None, Some(_)) => return Ok(Message::Own),
        (Some(_), None, None) | (None, Some(_), None) => {}
        _ => return Err(Fault("is not one JSON-RPC message")),
    }
    if !id.is_some_and(|id| is_same(id, request)) {
        return Err(Fault("is to another request"));
    }
    let Some(result) = result else {
        return Ok(Message::Error);
    };
    let mut has = [None; 4];
    let known = ["structuredContent", "isError", "resultType", "task"];
    members(result, &known, &mut has)?;
    let [structured, is_error, kind, task] = has;
    Ok(Message::Result(ToolResult {
        structured,
        is_error: is_error == Some("true"),
        kind,
        has_task: task.is_some_and(|task| task.starts_with('{')),
    }))
}

/// Whether an object has a member of this name.
pub(super) fn has_member(object: &str, name: &str) -> bool {
    let mut has = [None];
    let walked = members(object, &[name], &mut has);
    walked.is_ok() && has != [None]
}

/// Finds the members of an object, as JSON text.
///
/// One that is repeated, and one that differs from a known one only in case, is a fault: a client might read it otherwise.
fn members<'t>(text: &'t str, known: &[&str], has: &mut [Option<&'t str>]) -> Result<(), Fault> {
    let mut json = Tokens::of(text);
    if json.peek().is_some_and(|first| first != b'{') {
        return Err(Fault("has something else where an object should be"));
    }
    json.object(
        |name| place(name, known),
        |json, place| {
            let slot = place?.and_then(|place| has.get_mut(place));
            let value = json.value()?;
            match slot.and_then(|slot| slot.replace(value)) {
                Some(_) => Err(Fault("has a member twice")),
                None => Ok(()),
            }
        },
    )?;
    Ok(json.end()?)
}

fn place(name: &str, known: &[&str]) -> Result<Option<usize>, Fault> {
    if let Some(place) = known.iter().position(|known| name == *known) {
        return Ok(Some(place));
    }
    match known.iter().any(|known| is_alike(name, known)) {
        true => Err(Fault(
            "has a member that differs from a known one only in case",
        )),
        false => Ok(None),
    }
}

/// Whether two ids are one, which may be written in two ways.
fn is_same(id: &str, other: &str) -> bool {
    if id == other {
        return true;
    }
    let read = |id: &str| serde_json::from_str::<Value>(id).ok();
    match (read(id), read(other)) {
        (Some(Value::String(id)), Some(Value::String(other))) => id == other,
        (Some(Value::Number(id)), Some(Value::Number(other))) => {
            // As integers where they are, since floating point rounds.
            match (id.as_i128(), other.as_i128()) {
                (Some(id), Some(other)) => id == other,
                _ => id.as_f64() == other.as_f64(),
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_by_its_id_however_that_is_written() {
        for (id, other, same) in [
            ("7", "7", true),
            ("7", "7.0", true),
            ("7", "70e-1", true),
            ("7", "8", false),
            ("7", "\"7\"", false),
            ("9007199254740993", "9007199254740992", false),
            ("\"a\"", "\"\\u0061\"", true),
            ("\"a\"", "\"A\"", false),
            ("null", "7", false),
        ] {
            assert_eq!(is_same(id, other), same, "{id} {other}");
            assert_eq!(is_same(other, id), same, "{id} {other}");
        }
    }

    #[test]
    fn what_two_readers_may_take_for_two_things_is_a_fault() {
        for text in [
            "",
            "[]",
            "7",
            r#"{"id":1}"#,
            r#"{"id":1,"result":{}"#,
            r#"{"id":1,"result":{}}x"#,
            r#"{"id":1,"result":{},"error":{}}"#,
            r#"{"id":1,"result":{},"method":"x"}"#,
            r#"{"id":1,"result":{},"result":{}}"#,
            r#"{"id":1,"result":{},"r\u0065sult":{}}"#,
            r#"{"id":1,"result":{},"Result":{}}"#,
            "{\"id\":1,\"result\":{},\"re\u{17f}ult\":{}}",
            r#"{"id":2,"result":{}}"#,
            r#"{"result":{}}"#,
            r#"{"id":1,"result":[]}"#,
            r#"{"id":1,"result":null}"#,
            r#"{"id":1,"result":{"isError":true,"iserror":false}}"#,
            r#"{"id":1,"result":{"structuredContent":1,"structuredContent":2}}"#,
            r#"{"id":1,"result":{"structuredContent":1,"StructuredContent":2}}"#,
            r#"{"id":1,"result":{"x":"\ud800"}}"#,
            "\u{feff}{\"id\":1,\"result\":{}}",
        ] {
            assert!(read(text, "1").is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_result_says_is_found() {
        let of = |text: &'static str| read(text, "1").unwrap();
        assert_eq!(of(r#"{"method":"x","id":9}"#), Message::Own);
        assert_eq!(of(r#"{"id":1.0,"error":{}}"#), Message::Error);
        let found = of(
            r#" {"id":1,"result": {"content":[{"isError":1}],"structuredContent" : {"a":[1]} ,"isError":true,"resultType":"task","task":{}}}"#,
        );
        let expected = ToolResult {
            structured: Some(r#"{"a":[1]}"#),
            is_error: true,
            kind: Some(r#""task""#),
            has_task: true,
        };
        assert_eq!(found, Message::Result(expected));
        let none = of(r#"{"id":1,"result":{"isError":"true","task":[]}}"#);
        assert_eq!(none, Message::Result(ToolResult::default()));
    }
}
