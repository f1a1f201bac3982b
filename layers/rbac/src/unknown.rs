//! What an unknown tool, prompt or resource is answered: what is hidden is answered the same (TA-12).

use bartizan_core::{
    Call, CallKind, Disguise,
    call::{Revision, Subject},
};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use jiter::Jiter;

use crate::RbacConfigError;

/// What the layer answers where a [hidden](crate::Rule::hidden) rule refuses, or nothing covers a name of a
/// kind that has hidden rules: what the server answers to a name that it does not know.
///
/// By default what rmcp's router of tools says, and for prompts and resources what MCP shows: a JSON-RPC error of
/// −32602, for resources in revisions up to 2025-11-25 −32002 (TA-6), with HTTP status 200. A notification is
/// answered 202.
///
/// The texts matter only where the server itself may be asked for names that it does not know, since a rule that
/// hides nothing covers them, as `Rule::tool("*")`. In the text `{name}` stands for the name.
///
/// ```
/// use bartizan_rbac::UnknownAnswer;
/// // A server that answers in event streams.
/// let answer = UnknownAnswer::events().tool("Unknown tool: {name}")?;
/// assert!(UnknownAnswer::json().tool("{name} {name} {name}").is_err());
/// # Ok::<(), bartizan_rbac::RbacConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct UnknownAnswer {
    is_events: bool,
    tool: String,
    prompt: String,
    resource: String,
    resource_data: Option<String>,
}

/// Longest text, in bytes.
const TEXT_BYTES: usize = 1024;
/// How often a text can have the name.
const MOST_NAMES: usize = 2;
const NAME: &str = "{name}";

impl Default for UnknownAnswer {
    fn default() -> Self {
        Self::json()
    }
}

impl UnknownAnswer {
    /// As one JSON text.
    pub fn json() -> Self {
        Self {
            is_events: false,
            tool: "tool not found".to_owned(),
            prompt: "prompt '{name}' not found".to_owned(),
            resource: "Resource not found".to_owned(),
            resource_data: Some(r#"{"uri":"{name}"}"#.to_owned()),
        }
    }

    /// As an event stream of one event.
    pub fn events() -> Self {
        Self {
            is_events: true,
            ..Self::json()
        }
    }

    /// What is said of a tool.
    ///
    /// # Errors
    ///
    /// If the text is longer than 1024 bytes, or has the name more than twice.
    pub fn tool(mut self, text: &str) -> Result<Self, RbacConfigError> {
        self.tool = checked(text)?;
        Ok(self)
    }

    /// What is said of a prompt.
    ///
    /// # Errors
    ///
    /// Those of [`tool`](Self::tool).
    pub fn prompt(mut self, text: &str) -> Result<Self, RbacConfigError> {
        self.prompt = checked(text)?;
        Ok(self)
    }

    /// What is said of a resource, and the `data` of the error if it has some, as JSON text.
    ///
    /// # Errors
    ///
    /// Those of [`tool`](Self::tool), or if the data are no JSON with the name inside of strings.
    pub fn resource(mut self, text: &str, data: Option<&str>) -> Result<Self, RbacConfigError> {
        self.resource = checked(text)?;
        self.resource_data = data.map(checked_json).transpose()?;
        Ok(self)
    }

    /// The answer to a call that acts on something named.
    pub(crate) fn to(&self, call: &Call) -> Disguise {
        if call.kind() != CallKind::Request {
            return Disguise {
                status: StatusCode::ACCEPTED,
                headers: Vec::new(),
                body: Bytes::new(),
                is_stream: false,
            };
        }
        let json = self.error(call);
        let text = |text| HeaderValue::from_static(text);
        let (headers, body) = match self.is_events {
            false => (vec![(CONTENT_TYPE, text("application/json"))], json),
            true => (
                vec![
                    (CONTENT_TYPE, text("text/event-stream")),
                    (CACHE_CONTROL, text("no-cache")),
                    (HeaderName::from_static("x-accel-buffering"), text("no")),
                ],
                format!("data: {json}\n\n"),
            ),
        };
        Disguise {
            status: StatusCode::OK,
            headers,
            body: body.into(),
            is_stream: self.is_events,
        }
    }

    fn error(&self, call: &Call) -> String {
        let is_modern = call.revision().is_some_and(Revision::is_modern);
        let is_completion = call.method() == "completion/complete";
        let (code, text, data) = match call.subject() {
            Some(Subject::Tool) => ("-32602", &self.tool, None),
            Some(Subject::Prompt) => ("-32602", &self.prompt, None),
            _ if is_modern || is_completion => {
                ("-32602", &self.resource, self.resource_data.as_ref())
            }
            _ => ("-32002", &self.resource, self.resource_data.as_ref()),
        };
        let mut name = String::new();
        escape(call.name().unwrap_or_default(), &mut name);
        let mut out = String::with_capacity(128 + text.len() + 2 * name.len());
        out.push_str(r#"{"jsonrpc":"2.0","#);
        if let Some(id) = call.id() {
            out.push_str(r#""id":"#);
            write_id(id, &mut out);
            out.push(',');
        }
        out.push_str(r#""error":{"code":"#);
        out.push_str(code);
        out.push_str(r#","message":""#);
        for (place, piece) in text.split(NAME).enumerate() {
            out.push_str(if place > 0 { &name } else { "" });
            escape(piece, &mut out);
        }
        out.push('"');
        if let Some(data) = data {
            out.push_str(r#","data":"#);
            out.push_str(&data.replace(NAME, &name));
        }
        out.push_str("}}");
        out
    }
}

/// As a server writes it that read it: escaped where it has to be.
fn write_id(id: &str, out: &mut String) {
    match Jiter::new(id.as_bytes()).next_str() {
        Ok(text) => {
            out.push('"');
            escape(text, out);
            out.push('"');
        }
        Err(_) => out.push_str(id),
    }
}

/// Writes what stands between the quotes of a JSON string, as `serde_json` does.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
}

fn checked(text: &str) -> Result<String, RbacConfigError> {
    let problem = match text.matches(NAME).count() {
        _ if text.len() > TEXT_BYTES => "is longer than 1024 bytes",
        0..=MOST_NAMES => return Ok(text.to_owned()),
        _ => "has the name more than twice",
    };
    Err(RbacConfigError::new("answer", text, problem))
}

fn checked_json(text: &str) -> Result<String, RbacConfigError> {
    let checked = checked(text)?;
    let is_json = |text: &str| {
        let mut json = Jiter::new(text.as_bytes());
        json.next_skip().is_ok() && json.finish().is_ok()
    };
    // A space between two words is part of no JSON but a string.
    let one_line = !text.contains(['\n', '\r']);
    match one_line && is_json(&text.replace(NAME, "a b")) {
        true => Ok(checked),
        false => {
            let problem = "is no JSON on one line with `{name}` in strings only";
            Err(RbacConfigError::new("answer", text, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_are_escaped_as_serde_json_does(text in any::<String>()) {
            let mut escaped = "\"".to_owned();
            escape(&text, &mut escaped);
            escaped.push('"');
            prop_assert_eq!(&escaped, &serde_json::to_string(&text).unwrap());
            let mut id = String::new();
            write_id(&escaped, &mut id);
            prop_assert_eq!(id, escaped);
        }
    }

    #[test]
    fn an_id_is_written_as_who_read_it_would() {
        for (sent, written) in [("7", "7"), ("-7", "-7"), (r#""\u0041\/""#, r#""A/""#)] {
            let mut id = String::new();
            write_id(sent, &mut id);
            assert_eq!(id, written);
        }
    }

    #[test]
    fn an_answer_that_could_be_no_json_does_not_build() {
        let answer = || UnknownAnswer::json();
        for (bad, named) in [
            (answer().tool(&"a".repeat(1025)), "1024"),
            (answer().prompt("{name}{name}{name}"), "twice"),
            (answer().resource("x", Some("{")), "`{`"),
            (answer().resource("x", Some("{name}")), "`{name}`"),
            (
                answer().resource("x", Some(r#"{"{name}":{name}}"#)),
                "no JSON",
            ),
            (answer().resource("x", Some("[1,\n2]")), "no JSON"),
            (answer().resource("x", Some("1 2")), "`1 2`"),
        ] {
            let error = bad.unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        let answer = answer().resource("\u{2028}\"{name}\n", Some(r#"{"{name}":"{name}"}"#));
        assert!(answer.is_ok());
    }
}
