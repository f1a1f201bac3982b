//! Tools of an rmcp server whose arguments are safe types: what their schemas tell, and what a call is told.

use bartizan_validate::safe::{
    SafeArg, SafeLine, SafePath, SafeText, Slug,
    sql::{SqlName, SqlNames, SqlOrder},
};
use rmcp::{
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_router,
};

struct Columns;

impl SqlNames for Columns {
    const NAMES: &'static [&'static str] = &["name", "created_at"];
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[expect(dead_code, reason = "what is in them is not the point")]
struct Search {
    title: SafeLine<80>,
    note: Option<SafeText<1000>>,
    projects: Vec<Slug>,
    file: SafePath,
    revision: SafeArg,
    sort: SqlName<Columns>,
    order: SqlOrder,
}

struct Server;

#[tool_router]
impl Server {
    #[tool(description = "searches")]
    async fn search(&self, Parameters(_): Parameters<Search>) -> String {
        String::new()
    }
}

#[test]
fn the_schema_of_a_tool_shows_the_rules_of_its_types() {
    let router: ToolRouter<Server> = Server::tool_router();
    let tools = router.list_all();
    let schema = serde_json::to_value(&tools[0].input_schema).unwrap();
    let of = |pointer: &str| schema.pointer(&format!("/properties/{pointer}")).unwrap();
    assert_eq!(of("title/maxLength"), 80);
    assert_eq!(of("note/maxLength"), 1000);
    assert_eq!(of("projects/items/pattern"), "^[a-z0-9]+(-[a-z0-9]+)*$");
    assert_eq!(of("file/maxLength"), 1024);
    assert!(of("file/pattern").as_str().unwrap().contains(r"/\\"));
    assert_eq!(of("revision/minLength"), 1);
    assert_eq!(of("sort/enum"), &serde_json::json!(["name", "created_at"]));
    assert_eq!(of("order/enum"), &serde_json::json!(["asc", "desc"]));
}

/// What a validator in front of the tool refuses by the schema alone, and what only the type does.
#[test]
fn a_validator_refuses_by_the_schema_what_a_pattern_can_tell() {
    let router: ToolRouter<Server> = Server::tool_router();
    let schema = serde_json::to_value(&router.list_all()[0].input_schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let good = serde_json::json!({
        "title": "All", "projects": ["apollo-13"], "file": "a/b.csv", "revision": "HEAD~1", "sort": "name", "order": "asc",
    });
    assert!(validator.is_valid(&good));
    assert!(serde_json::from_value::<Search>(good.clone()).is_ok());
    for (member, value) in [
        ("title", "a\nb"),
        ("file", "../x"),
        ("file", "/etc/passwd"),
        ("file", "C:\\x"),
        ("revision", "--output=x"),
        ("revision", "@x"),
        ("sort", "password"),
        ("order", "asc, 1"),
    ] {
        let mut bad = good.clone();
        bad[member] = value.into();
        assert!(!validator.is_valid(&bad), "{member}: {value}");
        assert!(serde_json::from_value::<Search>(bad).is_err());
    }
    for (member, value) in [
        ("file", "a/nul.txt"),
        ("file", "%2e%2e/x"),
        ("title", "e\u{301}"),
    ] {
        let mut bad = good.clone();
        bad[member] = value.into();
        assert!(validator.is_valid(&bad), "{member}: {value}");
        let error = serde_json::from_value::<Search>(bad)
            .err()
            .unwrap()
            .to_string();
        assert!(!error.contains(value), "{error}");
    }
}
