//! The schema of a tool, as rmcp publishes it, and the types of its arguments: what the one refuses, the other does.

use std::{collections::BTreeMap, sync::LazyLock};

#[cfg(feature = "html")]
use bartizan_validate::safe::html::SafeHtml;
#[cfg(feature = "net")]
use bartizan_validate::safe::net::{SafeUrl, UrlRules};
use bartizan_validate::safe::{
    SafeArg, SafeLine, SafePath, SafeText, Slug,
    sql::{SqlIdent, SqlName, SqlNames, SqlOrder},
};
use jsonschema::Validator;
use proptest::prelude::*;
use rmcp::{
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_router,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::vectors::vectors;

struct Columns;

impl SqlNames for Columns {
    const NAMES: &'static [&'static str] = &["name", "order", "created_at"];
}

#[cfg(feature = "net")]
struct Hosts;

#[cfg(feature = "net")]
impl UrlRules for Hosts {
    const HOSTS: &'static [&'static str] = &["example.org", "*.example.com"];
    const PORTS: &'static [std::ops::RangeInclusive<u16>] = &[80..=80, 443..=443];
    const DANGER_HTTP: bool = true;
}

/// One argument of each type. A type that is missing here has no line in `TYPES` either.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[expect(dead_code, reason = "each argument is read for itself")]
struct Arguments {
    text: SafeText<40>,
    line: SafeLine,
    slug: Slug,
    path: SafePath,
    arg: SafeArg,
    ident: SqlIdent,
    name: SqlName<Columns>,
    order: SqlOrder,
    #[cfg(feature = "net")]
    url: SafeUrl,
    #[cfg(feature = "net")]
    listed: SafeUrl<Hosts>,
    #[cfg(feature = "html")]
    html: SafeHtml<200>,
}

/// How an argument is read and written again; none if it is refused.
type Read = fn(&Value) -> Option<Value>;

const TYPES: &[(&str, Read)] = &[
    ("text", read::<SafeText<40>>),
    ("line", read::<SafeLine>),
    ("slug", read::<Slug>),
    ("path", read::<SafePath>),
    ("arg", read::<SafeArg>),
    ("ident", read::<SqlIdent>),
    ("name", read::<SqlName<Columns>>),
    ("order", read::<SqlOrder>),
    #[cfg(feature = "net")]
    ("url", read::<SafeUrl>),
    #[cfg(feature = "net")]
    ("listed", read::<SafeUrl<Hosts>>),
    #[cfg(feature = "html")]
    ("html", read::<SafeHtml<200>>),
];

/// Of which the schema says all.
const EXACT: &[&str] = &["slug", "ident", "name", "order"];

fn read<T: DeserializeOwned + Serialize>(value: &Value) -> Option<Value> {
    let read = serde_json::from_value::<T>(value.clone()).ok()?;
    Some(serde_json::to_value(read).unwrap())
}

struct Server;

#[tool_router]
impl Server {
    #[tool(description = "takes one of each")]
    async fn take(&self, Parameters(_): Parameters<Arguments>) -> String {
        String::new()
    }
}

fn published() -> Value {
    let router: ToolRouter<Server> = Server::tool_router();
    serde_json::to_value(&router.list_all()[0].input_schema).unwrap()
}

static VALIDATORS: LazyLock<BTreeMap<String, Validator>> = LazyLock::new(|| {
    let published = published();
    let properties = published["properties"].as_object().unwrap();
    let validator = |schema| jsonschema::validator_for(schema).unwrap();
    properties
        .iter()
        .map(|(name, schema)| (name.clone(), validator(schema)))
        .collect()
});

/// Holds each type to its schema, and says which of the two refuse the value.
fn judge(value: &Value) -> Vec<(&'static str, bool, bool)> {
    let judged = TYPES.iter().map(|(name, read)| {
        let by_schema = !VALIDATORS[*name].is_valid(value);
        let read = read(value);
        if let Some(written) = &read {
            assert!(!by_schema, "{name}: {value} is taken against its schema");
            assert_eq!(written, value, "{name}");
        }
        if EXACT.contains(name) {
            assert_eq!(by_schema, read.is_none(), "{name}: {value}");
        }
        (*name, by_schema, read.is_none())
    });
    judged.collect()
}

fn all_vectors() -> Vec<Value> {
    let files = [
        include_str!("../../../../tests/vectors/safe/arguments.txt"),
        include_str!("../../../../tests/vectors/safe/html.txt"),
        include_str!("../../../../tests/vectors/safe/paths.txt"),
        include_str!("../../../../tests/vectors/safe/slugs.txt"),
        include_str!("../../../../tests/vectors/safe/sql.txt"),
        include_str!("../../../../tests/vectors/safe/text.txt"),
        include_str!("../../../../tests/vectors/safe/urls.txt"),
    ];
    let values = files.into_iter().flat_map(vectors);
    values.map(|(_, text)| Value::from(text)).collect()
}

#[test]
fn each_argument_has_a_type_that_is_held_to_its_schema() {
    let names: Vec<_> = VALIDATORS.keys().map(String::as_str).collect();
    let mut typed: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
    typed.sort_unstable();
    assert_eq!(names, typed);
}

/// Each type is held to every file, and the schema alone turns away a part of what its type does.
#[test]
fn what_the_schema_refuses_the_type_refuses_for_each_vector() {
    let mut refused = BTreeMap::<_, (u32, u32)>::new();
    for value in all_vectors() {
        for (name, by_schema, by_type) in judge(&value) {
            let counts = refused.entry(name).or_default();
            counts.0 += u32::from(by_schema);
            counts.1 += u32::from(by_type);
        }
    }
    for (name, (by_schema, by_type)) in refused {
        assert!(by_schema * 4 > by_type, "{name}: {by_schema} of {by_type}");
    }
}

#[test]
fn what_is_no_string_is_refused_by_both() {
    for text in ["1", "-1", "true", "null", "[\"a\"]", "{\"a\":\"b\"}", "1.5"] {
        for (name, by_schema, by_type) in judge(&serde_json::from_str(text).unwrap()) {
            assert!(by_schema && by_type, "{name}: {text}");
        }
    }
}

/// Patterns of a linear engine, and nothing that another dialect reads otherwise.
#[cfg(feature = "layer")]
#[test]
fn the_layer_takes_what_rmcp_publishes() {
    let layer = bartizan_validate::ValidateLayer::new();
    assert!(layer.schema("take", &published().to_string()).is_ok());
}

fn near() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("https://example.org".to_owned()),
        Just("<b>".to_owned()),
        Just("</b>".to_owned()),
        Just("<a href=\"https://example.org/\" title=\"<\">".to_owned()),
        Just("</a>".to_owned()),
        Just("<br>".to_owned()),
        Just("<td colspan=\"2\" lang=\"de\">".to_owned()),
        Just("<p title=\"a&quot;&amp;&lt;\">".to_owned()),
        Just("&nbsp;&amp;&lt;&gt;".to_owned()),
        Just("name".to_owned()),
        Just("..".to_owned()),
        "[a-z0-9]{1,3}",
        "[-/._:@<>&;=\"'!% \n\t]",
        "\\PC",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_the_schema_refuses_the_type_refuses(text in near()) {
        #[cfg(feature = "html")]
        if let Ok(clean) = SafeHtml::<200>::sanitized(&text) {
            judge(&clean.as_str().into());
        }
        judge(&text.into());
    }

    #[test]
    fn what_the_schema_refuses_the_type_refuses_of_any_length(text in "[a-z]{1,2}", times in 0_usize..3000) {
        judge(&text.repeat(times).into());
        judge(&format!("https://example.org/{}", text.repeat(times)).into());
    }

    #[test]
    fn a_vector_that_is_changed_is_judged_alike(at in any::<proptest::sample::Index>(), place in any::<proptest::sample::Index>(), with in any::<char>()) {
        static ALL: LazyLock<Vec<Value>> = LazyLock::new(all_vectors);
        let mut letters: Vec<char> = at.get(&ALL).as_str().unwrap().chars().collect();
        let place = place.index(letters.len() + 1);
        letters.insert(place, with);
        judge(&letters.into_iter().collect::<String>().into());
    }
}
