use bartizan_kit::{McpRequest, raw};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};

/// An attack, as `tests/vectors/adversarial.json` writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vector {
    pub(super) name: String,
    pub(super) requirement: String,
    /// Text, in which `$META` stands for the revision's `_meta`, and `$NEST` for so many nested arrays.
    #[serde(default)]
    body: String,
    /// Or bytes, in hexadecimal digits.
    #[serde(default)]
    bytes: String,
    #[serde(default)]
    nest: usize,
    /// Where it is not all of them.
    #[serde(default = "all_revisions")]
    pub(super) revisions: Vec<String>,
    /// What a modern client would mirror of it.
    #[serde(default = "mirrored")]
    mirrored: [Option<String>; 2],
    /// In place of all of that name: a value, several lines, or null for none.
    #[serde(default)]
    headers: Map<String, Value>,
    pub(super) admin: Expected,
    /// The same as the admin's if it is not there.
    pub(super) viewer: Option<Expected>,
}

/// A status, with nothing run; or what ran.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub(super) enum Expected {
    Refused(u16),
    Runs(Value),
}

const MODERN: &str = "2026-07-28";

fn all_revisions() -> Vec<String> {
    let all = [
        "2024-11-05",
        "2025-03-26",
        "2025-06-18",
        "2025-11-25",
        MODERN,
    ];
    all.map(str::to_owned).into()
}

fn mirrored() -> [Option<String>; 2] {
    [Some("tools/call".to_owned()), Some("delete".to_owned())]
}

pub(super) fn of(text: &str) -> Vec<Vector> {
    serde_json::from_str(text).unwrap()
}

impl Vector {
    /// What `tests/vectors/messages.json` has, sent as it is.
    pub(super) fn of_message(message: &Value) -> Self {
        let text = |member: &str| message[member].as_str().unwrap().to_owned();
        let headers = message["headers"].as_object().unwrap().clone();
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name.to_lowercase(), value));
        let mut headers: Map<_, _> = headers.collect();
        headers.entry("mcp-protocol-version").or_insert(Value::Null);
        let status = message["status"].as_u64().unwrap();
        Self {
            name: text("name"),
            requirement: text("source"),
            body: text("body"),
            bytes: String::new(),
            nest: 0,
            revisions: vec!["2025-11-25".to_owned()],
            mirrored: [None, None],
            headers,
            admin: match status {
                200 => Expected::Runs(Value::Null),
                status => Expected::Refused(status.try_into().unwrap()),
            },
            viewer: None,
        }
    }

    pub(super) fn request(&self, revision: &str) -> McpRequest {
        let mut request = raw(self.body_of(revision));
        if !matches!(revision, "2024-11-05" | "2025-03-26") {
            request = request.header("mcp-protocol-version", revision);
        }
        if revision == MODERN {
            for (name, value) in ["mcp-method", "mcp-name"].iter().zip(&self.mirrored) {
                if let Some(value) = value {
                    request = request.header(name, in_header(value));
                }
            }
        }
        for (name, value) in &self.headers {
            request = request.no_header(name);
            let lines = match value {
                Value::Null => &[],
                Value::Array(lines) => &**lines,
                line => std::slice::from_ref(line),
            };
            for line in lines {
                request = request.header_again(name, line.as_str().unwrap());
            }
        }
        request
    }

    pub(super) fn names_a_session(&self) -> bool {
        self.headers.contains_key("mcp-session-id")
    }

    fn body_of(&self, revision: &str) -> Vec<u8> {
        if !self.bytes.is_empty() {
            let digits = self.bytes.replace(' ', "");
            let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
            return (0..digits.len()).step_by(2).map(byte).collect();
        }
        let meta = if revision == MODERN {
            r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#
        } else {
            r#""_meta":{}"#
        };
        let nested = "[".repeat(self.nest) + &"]".repeat(self.nest);
        let body = self.body.replace("$META", meta);
        body.replace("$NEST", &nested).into_bytes()
    }
}

/// As a client writes it: in Base64 if no header can hold it (N-6).
fn in_header(value: &str) -> String {
    let is_plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~')) && value.trim() == value;
    if is_plain {
        return value.to_owned();
    }
    format!("=?base64?{}?=", BASE64_STANDARD.encode(value))
}
