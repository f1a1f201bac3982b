//! The schema that policies are checked against.

use std::collections::HashMap;

use cedar_policy::{Schema, SchemaFragment};
use serde_json::Value;

use super::{CedarError, arguments::Shape};

/// The schema of what policies are asked, in Cedar's own format, for Cedar's own tools.
///
/// [`CedarEngine::schema`](crate::CedarEngine::schema) is the same with what was said of tools' arguments.
pub const CEDAR_SCHEMA: &str = include_str!("mcp.cedarschema");

/// The part of it that declared arguments take the place of.
const NONE: &str = "type Arguments = {};";

/// Tools whose arguments policies see: their names, and what was declared.
pub(super) type Declared = Vec<(String, String)>;

/// The schema with these tools' arguments, as text too, and what they are.
pub(super) fn with(
    declared: &Declared,
) -> Result<(Schema, String, HashMap<Box<str>, Shape>), CedarError> {
    let mut shapes = HashMap::new();
    let mut members = String::new();
    for (tool, types) in declared {
        let shape = shape(tool, types)?;
        if shapes.insert(Box::from(&**tool), shape).is_some() {
            return Err(of_tool(tool, "is declared twice"));
        }
        members.push_str(&format!("\n        \"{tool}\"?: {{ {types} }},"));
    }
    let text = if members.is_empty() {
        CEDAR_SCHEMA.to_owned()
    } else {
        let arguments = format!("type Arguments = {{{members}\n    }};");
        CEDAR_SCHEMA.replacen(NONE, &arguments, 1)
    };
    let (schema, _) = Schema::from_cedarschema_str(&text)
        .map_err(|error| CedarError::at("schema", &text, &error))?;
    Ok((schema, text, shapes))
}

/// What is declared of one tool, read on its own: it can declare nothing else.
fn shape(tool: &str, types: &str) -> Result<Shape, CedarError> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"_-./".contains(&b);
    if tool.is_empty() || tool.len() > 128 || !tool.bytes().all(legal) {
        let problem = "is no name of 1 to 128 characters of `A-Z a-z 0-9 _ - . /`";
        return Err(of_tool(tool, problem));
    }
    let text = format!("type Arguments = {{ {types} }};");
    let (fragment, _) =
        SchemaFragment::from_cedarschema_str(&text).map_err(|error| of_tool(tool, error))?;
    let json = fragment
        .to_json_value()
        .map_err(|error| of_tool(tool, error))?;
    let namespaces = json.as_object().into_iter().flatten();
    let mut declared = Vec::new();
    for (_, namespace) in namespaces {
        for kind in ["entityTypes", "actions"] {
            let others = namespace.get(kind).and_then(Value::as_object);
            if others.is_some_and(|others| !others.is_empty()) {
                return Err(of_tool(tool, "declares something else than arguments"));
            }
        }
        let types = namespace.get("commonTypes").and_then(Value::as_object);
        declared.extend(types.into_iter().flatten().map(|(_, declared)| declared));
    }
    match &*declared {
        [arguments] => Shape::of(arguments).map_err(|problem| of_tool(tool, problem)),
        _ => Err(of_tool(tool, "declares something else than arguments")),
    }
}

fn of_tool(tool: &str, problem: impl std::fmt::Display) -> CedarError {
    let tool = bartizan_core::printable(tool, 128);
    CedarError::new(format!("arguments of tool `{tool}`"), problem)
}
