use std::{collections::HashMap, error::Error, fmt};

use http::{HeaderMap, HeaderName};
use jiter::{Jiter, JsonValue, Peek};

use super::{Call, CallKind, Revision, Subject, mirror};
use crate::{Denial, printable};

/// Which arguments `Mcp-Param-*` headers mirror, as the tools' schemas annotate them with
/// `x-mcp-header` (N-7, N-8).
///
/// ```
/// use bartizan_core::{CallLayer, call::MirroredParams};
/// let schema = r#"{"type":"object","properties":{
///     "region": {"type":"string","x-mcp-header":"Region"}}}"#;
/// let layer = CallLayer::new().mirrored_params(MirroredParams::new().schema("deploy", schema)?);
/// # Ok::<(), bartizan_core::call::MirroredParamsError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct MirroredParams {
    tools: HashMap<Box<str>, Vec<Param>>,
}

#[derive(Debug, Clone)]
struct Param {
    header: HeaderName,
    path: Vec<Box<str>>,
}

impl MirroredParams {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the annotations of a tool's `inputSchema`, given as JSON text.
    ///
    /// # Errors
    ///
    /// What N-8 forbids: a name that is empty, no token, or there twice in any case; on anything
    /// but a string, integer or boolean; anywhere but under a chain of `properties`. Also text that
    /// is not JSON.
    pub fn schema(mut self, tool: &str, schema: &str) -> Result<Self, MirroredParamsError> {
        let schema = JsonValue::parse(schema.as_bytes(), false)
            .map_err(|_| MirroredParamsError::new(tool, "the schema is not JSON"))?;
        let mut found = Vec::new();
        annotations(&schema, &mut Vec::new(), true, &mut found)
            .map_err(|(name, problem)| MirroredParamsError::new(name, problem))?;
        for (name, path) in found {
            self = self.argument(tool, &name, path)?;
        }
        Ok(self)
    }

    /// Says that `Mcp-Param-<name>` mirrors the argument of a tool at a path of member names.
    ///
    /// # Errors
    ///
    /// If the name is empty, no token, or there already for this tool; if the path is empty.
    pub fn argument<I>(
        mut self,
        tool: &str,
        name: &str,
        path: I,
    ) -> Result<Self, MirroredParamsError>
    where
        I: IntoIterator<Item: Into<Box<str>>>,
    {
        let error = |problem| Err(MirroredParamsError::new(name, problem));
        let path: Vec<_> = path.into_iter().map(Into::into).collect();
        let Ok(header) = HeaderName::try_from(format!("mcp-param-{name}")) else {
            return error("is not a header name");
        };
        if name.is_empty() {
            return error("is empty");
        }
        if path.is_empty() {
            return error("mirrors no argument");
        }
        let params = self.tools.entry(tool.into()).or_default();
        if params.iter().any(|param| param.header == header) {
            return error("is there twice");
        }
        params.push(Param { header, path });
        Ok(self)
    }

    /// Checks the headers of a `tools/call` against its arguments (N-7).
    ///
    /// Under 2026-07-28 an argument that is there needs its header; under every revision a header
    /// that is there tells the truth. Integers compare as numbers, so `42` is `42.0`.
    ///
    /// # Errors
    ///
    /// The refusal, if they do not agree.
    pub fn check(&self, call: &Call, headers: &HeaderMap) -> Result<(), Denial> {
        let params = call
            .name()
            .filter(|_| call.subject() == Some(Subject::Tool))
            .and_then(|tool| self.tools.get(tool));
        let required =
            call.kind() == CallKind::Request && call.revision().is_some_and(Revision::is_modern);
        for Param { header, path } in params.into_iter().flatten() {
            let argument = call.arguments().and_then(|json| value_at(json, path));
            let argument = argument.filter(|json| *json != "null");
            let agree = match (mirror::decoded_field(headers, header)?, argument) {
                (None, None) => true,
                (None, Some(_)) => !required,
                (Some(_), None) => false,
                (Some(text), Some(json)) => mirrors(&text, json),
            };
            if !agree {
                let denial = mirror::mismatch("an Mcp-Param header is not the argument it mirrors");
                return Err(denial.with_rpc_id(call.id()));
            }
        }
        Ok(())
    }
}

type Annotation = (String, Vec<Box<str>>);
type Misplaced = (String, &'static str);

fn annotations(
    schema: &JsonValue<'_>,
    path: &mut Vec<Box<str>>,
    reachable: bool,
    found: &mut Vec<Annotation>,
) -> Result<(), Misplaced> {
    let JsonValue::Object(members) = schema else {
        if let JsonValue::Array(items) = schema {
            for item in items.iter() {
                annotations(item, path, false, found)?;
            }
        }
        return Ok(());
    };
    let member = |name: &str| {
        let mut found = members.iter().filter(|(key, _)| key == name);
        found.next_back().map(|(_, value)| value)
    };
    if let Some(annotation) = member("x-mcp-header") {
        let JsonValue::Str(name) = annotation else {
            return Err((path.join("."), "has an annotation that is not a name"));
        };
        if !reachable || path.is_empty() {
            return Err((name.to_string(), "stands where no argument is reached"));
        }
        let is_primitive = matches!(
            member("type"),
            Some(JsonValue::Str(kind)) if ["string", "integer", "boolean"].contains(&&**kind)
        );
        if !is_primitive {
            let problem = "is not on a string, an integer or a boolean";
            return Err((name.to_string(), problem));
        }
        found.push((name.to_string(), path.clone()));
    }
    for (key, value) in members.iter() {
        match (&**key, value) {
            ("properties", JsonValue::Object(properties)) => {
                for (name, property) in properties.iter() {
                    path.push((&**name).into());
                    annotations(property, path, reachable, found)?;
                    path.pop();
                }
            }
            ("const" | "default" | "enum" | "examples" | "x-mcp-header", _) => {}
            _ => annotations(value, path, false, found)?,
        }
    }
    Ok(())
}

/// The JSON text of the value at a path of member names. The text was read strictly before.
fn value_at<'j>(json: &'j str, path: &[Box<str>]) -> Option<&'j str> {
    let mut parser = Jiter::new(json.as_bytes());
    for wanted in path {
        if parser.peek().ok()? != Peek::Object {
            return None;
        }
        let mut is_it = parser.known_object().ok()?.map(|name| name == &**wanted);
        while !is_it? {
            parser.next_skip().ok()?;
            is_it = parser.next_key().ok()?.map(|name| name == &**wanted);
        }
    }
    parser.peek().ok()?;
    let start = parser.current_index();
    parser.next_skip().ok()?;
    json.get(start..parser.current_index())
}

fn mirrors(text: &str, json: &str) -> bool {
    match json.as_bytes().first() {
        Some(b'"') => Jiter::new(json.as_bytes())
            .next_str()
            .is_ok_and(|value| value == text),
        Some(b't' | b'f') => text == json,
        Some(b'-' | b'0'..=b'9') => integer(json).is_some_and(|value| integer(text) == Some(value)),
        _ => false,
    }
}

/// An integer that every JSON reader takes for the same (N-8): within ±(2^53−1).
fn integer(text: &str) -> Option<i64> {
    const LIMIT: f64 = 9_007_199_254_740_991.0;
    let is_number = Jiter::new(text.as_bytes())
        .next_number_bytes()
        .is_ok_and(|number| number.len() == text.len());
    let value: f64 = text.parse().ok().filter(|_| is_number)?;
    #[expect(clippy::cast_possible_truncation, reason = "an integer within 53 bits")]
    (value.fract() == 0.0 && value.abs() <= LIMIT).then_some(value as i64)
}

/// An annotation that MCP does not permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroredParamsError {
    name: String,
    problem: &'static str,
}

impl MirroredParamsError {
    fn new(name: impl Into<String>, problem: &'static str) -> Self {
        Self {
            name: name.into(),
            problem,
        }
    }
}

impl fmt::Display for MirroredParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = printable(&self.name, 200);
        write!(f, "mirrored parameter `{name}` {}", self.problem)
    }
}

impl Error for MirroredParamsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_8_misplaced_annotations_are_named() {
        let property = |json: &str| format!(r#"{{"type":"object","properties":{{"a":{json}}}}}"#);
        for (schema, named) in [
            (
                property(r#"{"type":"string","x-mcp-header":""}"#),
                "is empty",
            ),
            (
                property(r#"{"type":"string","x-mcp-header":"a b"}"#),
                "not a header name",
            ),
            (
                property(r#"{"type":"string","x-mcp-header":7}"#),
                "not a name",
            ),
            (
                property(r#"{"type":"number","x-mcp-header":"A"}"#),
                "not on a string",
            ),
            (property(r#"{"x-mcp-header":"A"}"#), "not on a string"),
            (
                property(r#"{"type":"array","items":{"type":"string","x-mcp-header":"A"}}"#),
                "no argument",
            ),
            (
                r#"{"properties":{"a":{"type":"string","x-mcp-header":"Region"},
                    "b":{"type":"string","x-mcp-header":"REGION"}}}"#
                    .into(),
                "twice",
            ),
            (
                r#"{"x-mcp-header":"A","type":"string"}"#.into(),
                "no argument",
            ),
            ("{".into(), "not JSON"),
        ] {
            let error = MirroredParams::new().schema("t", &schema).unwrap_err();
            assert!(error.to_string().contains(named), "{schema}: {error}");
        }
    }

    #[test]
    fn n_8_a_property_may_be_called_like_the_annotation() {
        let schema = r#"{"properties":{"x-mcp-header":{"type":"string"},
            "o":{"type":"object","properties":{"r":{"type":"integer","x-mcp-header":"R"}}}}}"#;
        let params = MirroredParams::new().schema("t", schema).unwrap();
        assert_eq!(params.tools["t"].len(), 1);
        assert_eq!(params.tools["t"][0].path, ["o".into(), "r".into()]);
    }

    #[test]
    fn n_7_integers_compare_as_numbers_within_53_bits() {
        for (text, json) in [
            ("42", "42"),
            ("42", "42.0"),
            ("42.0", "42"),
            ("-1", "-1"),
            ("100", "1e2"),
        ] {
            assert!(mirrors(text, json), "{text} {json}");
        }
        for (text, json) in [
            ("42", "43"),
            ("+42", "42"),
            (" 42", "42"),
            ("inf", "1e400"),
            ("0x2a", "42"),
            ("9007199254740993", "9007199254740993"),
            ("1.5", "1.5"),
            ("", "0"),
        ] {
            assert!(!mirrors(text, json), "{text} {json}");
        }
    }

    #[test]
    fn n_7_strings_and_booleans_compare_unescaped_and_exactly() {
        assert!(mirrors("a/b", r#""a\/b""#));
        assert!(mirrors("true", "true"));
        for (text, json) in [
            ("A", r#""a""#),
            ("True", "true"),
            ("1", "true"),
            ("{}", "{}"),
            ("x", "[]"),
        ] {
            assert!(!mirrors(text, json), "{text} {json}");
        }
    }

    #[test]
    fn values_are_found_at_their_exact_path() {
        let json = r#"{"x":{"r":1},"r":[{"r":2}],"o":{"p":{"r":"deep"},"\u0072":3}}"#;
        let path = |names: &[&str]| names.iter().map(|n| (*n).into()).collect::<Vec<Box<str>>>();
        assert_eq!(value_at(json, &path(&["o", "r"])), Some("3"));
        assert_eq!(value_at(json, &path(&["o", "p", "r"])), Some(r#""deep""#));
        assert_eq!(value_at(json, &path(&["r", "r"])), None);
        assert_eq!(value_at(json, &path(&["q"])), None);
    }
}
