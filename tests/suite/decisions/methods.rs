use rmcp::model::{ClientNotification, ClientRequest};
use schemars::schema_for;
use serde_json::Value;

/// A method of rmcp's model.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) name: String,
    /// The members of its params.
    pub(super) params: Vec<String>,
}

/// Every method that rmcp has a type for among what clients send, from the schema of these types: an enum of
/// another crate that may grow cannot be matched on exhaustively.
pub(super) fn of_rmcp() -> Vec<Method> {
    let requests = schema_for!(ClientRequest).to_value();
    let notifications = schema_for!(ClientNotification).to_value();
    [requests, notifications]
        .iter()
        .flat_map(of_schema)
        .collect()
}

fn of_schema(schema: &Value) -> Vec<Method> {
    let variants = schema["anyOf"].as_array().unwrap();
    let mut methods = Vec::new();
    let mut without_name = 0;
    for variant in variants {
        let members = &resolved(schema, variant)["properties"];
        match resolved(schema, &members["method"])["const"].as_str() {
            Some(name) => methods.push(Method {
                name: name.to_owned(),
                params: members_of(schema, &members["params"]),
            }),
            None => without_name += 1,
        }
    }
    assert_eq!(
        without_name, 1,
        "all but the custom ones have a method of their own"
    );
    methods
}

/// The names of all members that an object may have.
fn members_of(schema: &Value, object: &Value) -> Vec<String> {
    let object = resolved(schema, object);
    let mut members: Vec<_> = object["properties"]
        .as_object()
        .into_iter()
        .flat_map(|properties| properties.keys().cloned())
        .collect();
    for several in ["anyOf", "oneOf", "allOf"] {
        for part in object[several].as_array().into_iter().flatten() {
            members.extend(members_of(schema, part));
        }
    }
    members
}

fn resolved<'s>(schema: &'s Value, part: &'s Value) -> &'s Value {
    match part["$ref"].as_str().and_then(|at| at.strip_prefix('#')) {
        Some(at) => resolved(schema, schema.pointer(at).unwrap()),
        None => part,
    }
}
