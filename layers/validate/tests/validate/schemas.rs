use std::time::{Duration, Instant};

use bartizan_validate::{ArgumentLimits, Schema};
use serde_json::{Value, json};

fn compiled(schema: &Value) -> Schema {
    Schema::compile(&schema.to_string()).unwrap()
}

fn told(schema: &Schema, text: &str) -> Vec<String> {
    match schema.check(text, &ArgumentLimits::new()) {
        Ok(()) => Vec::new(),
        Err(violations) => violations.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn iv_1_what_is_wrong_is_told_with_place_rule_and_range_and_never_with_the_value() {
    let schema = compiled(&json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 3, "maxLength": 5, "pattern": "^[a-z]+$"},
            "level": {"type": "integer", "minimum": 1, "exclusiveMaximum": 6, "multipleOf": 2},
            "tags": {"type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": true,
                     "items": {"enum": ["s", "m"]}},
            "kind": {"const": "note"},
            "either": {"oneOf": [{"type": "string"}, {"type": ["null", "boolean"]}]},
            "map": {"type": "object", "propertyNames": {"maxLength": 2}, "minProperties": 1},
            "none": false
        },
        "required": ["name"],
        "additionalProperties": false
    }));
    for (text, expected) in [
        (r#"{"name":"abc"}"#, &[][..]),
        (r#"{}"#, &["the arguments: the member `name` is missing"]),
        ("[]", &["the arguments: it must be of type object"]),
        (r#"{"name":7}"#, &["`/name`: it must be of type string"]),
        (
            r#"{"name":"S3"}"#,
            &[
                "`/name`: no fewer than 3 characters",
                "`/name`: it must match the pattern `^[a-z]+$`",
            ],
        ),
        (
            r#"{"name":"s3crets3cret"}"#,
            &[
                "`/name`: no more than 5 characters",
                "`/name`: it must match the pattern `^[a-z]+$`",
            ],
        ),
        (
            r#"{"name":"abc","level":0}"#,
            &["`/level`: it must be at least 1"],
        ),
        (
            r#"{"name":"abc","level":6}"#,
            &["`/level`: it must be less than 6"],
        ),
        (
            r#"{"name":"abc","level":3}"#,
            &["`/level`: it must be a multiple of 2"],
        ),
        (
            r#"{"name":"abc","level":2.5}"#,
            &[
                "`/level`: it must be of type integer",
                "`/level`: it must be a multiple of 2",
            ],
        ),
        (
            r#"{"name":"abc","tags":[]}"#,
            &["`/tags`: no fewer than 1 elements"],
        ),
        (
            r#"{"name":"abc","tags":["s","s3cret"]}"#,
            &[r#"`/tags/1`: it must be one of "s", "m""#],
        ),
        (
            r#"{"name":"abc","tags":["s","s"]}"#,
            &["`/tags`: its elements must differ from each other"],
        ),
        (
            r#"{"name":"abc","kind":"s3cret"}"#,
            &[r#"`/kind`: it must be "note""#],
        ),
        (
            r#"{"name":"abc","either":7}"#,
            &["`/either`: it is none of what it may be"],
        ),
        (
            r#"{"name":"abc","map":{}}"#,
            &["`/map`: no fewer than 1 members"],
        ),
        (
            r#"{"name":"abc","map":{"abc":1}}"#,
            &["`/map`: a name of a member is not permitted: no more than 2 characters"],
        ),
        (
            r#"{"name":"abc","none":"s3cret"}"#,
            &["`/none`: it must not be there"],
        ),
        (
            r#"{"name":"abc","evil":1}"#,
            &["the arguments: there must be no member `evil`"],
        ),
    ] {
        let mut got = told(&schema, text);
        got.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(got, expected, "{text}");
        assert!(!got.concat().contains("s3cret"), "{text}");
    }
}

#[test]
fn seed_v1_a_pattern_that_ends_ends_at_the_end() {
    let schema = compiled(&json!({"type": "string", "pattern": "^[a-zA-Z0-9_-]+$"}));
    assert!(told(&schema, r#""abc""#).is_empty());
    assert_eq!(told(&schema, r#""abc\n""#).len(), 1);
}

#[test]
fn iv_3_a_dialect_that_is_not_known_is_an_error() {
    for (dialect, is_known) in [
        ("https://json-schema.org/draft/2020-12/schema", true),
        ("https://json-schema.org/draft/2019-09/schema", true),
        ("http://json-schema.org/draft-07/schema#", true),
        ("http://json-schema.org/draft-04/schema#", false),
        ("https://example.com/mine", false),
        ("", false),
    ] {
        let schema = json!({"$schema": dialect, "type": "object"}).to_string();
        let compiled = Schema::compile(&schema);
        assert_eq!(compiled.is_ok(), is_known, "{dialect}");
        if let Err(error) = compiled {
            assert!(
                error.to_string().contains(&format!("`{dialect}`")),
                "{error}"
            );
        }
    }
    assert!(Schema::compile(r#"{"$schema":7}"#).is_err());
}

#[test]
fn iv_4_a_reference_to_elsewhere_is_an_error_and_nothing_is_fetched() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    for schema in [
        json!({"$ref": format!("http://{address}/x")}),
        json!({"properties": {"a": {"$ref": format!("http://{address}/x#/y")}}}),
        json!({"$defs": {"a": {"$ref": "file:///etc/passwd"}}, "allOf": [{"$ref": "#/$defs/a"}]}),
        json!({"$id": format!("http://{address}/"), "items": {"$ref": "x"}}),
        json!({"$id": format!("http://{address}/"), "$defs": {"a": {"$id": "x", "$ref": "#"}}, "$ref": "#/$defs/a"}),
        json!({"$schema": format!("http://{address}/x")}),
    ] {
        assert!(Schema::compile(&schema.to_string()).is_err(), "{schema}");
    }
    assert!(listener.accept().is_err(), "nobody connected");
}

#[test]
fn what_is_no_schema_is_an_error() {
    for text in [
        "",
        "{",
        "7",
        "[]",
        r#"{"type":"strin"}"#,
        r#"{"pattern":"("}"#,
        r#"{"pattern":"(?=a)b"}"#,
        r#"{"pattern":"(a)\\1"}"#,
        r#"{"pattern":"((a{1,100}){1,100}){1,100}"}"#,
        r#"{"minLength":-1}"#,
        r#"{"required":"a"}"#,
    ] {
        assert!(Schema::compile(text).is_err(), "{text}");
    }
    assert!(Schema::compile("true").is_ok());
}

/// On a stack as small as a thread of a server may have.
fn in_time(what: &str, run: impl FnOnce() + Send + 'static) {
    let begun = Instant::now();
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(run).unwrap().join().unwrap();
    // Most end within some milliseconds; a test's machine is busy.
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{what}: {:?}",
        begun.elapsed()
    );
}

fn nested(depth: usize, inner: Value, wrap: impl Fn(Value) -> Value) -> Value {
    (0..depth).fold(inner, |inner, _| wrap(inner))
}

#[test]
fn iv_5_schemas_that_explode_end_within_a_bound() {
    let twice = |inner: Value| json!({"anyOf": [inner, {"type": "null"}, inner]});
    let chain = |keyword: &str, links: usize| {
        let mut defs = json!({"d0": {"type": "null"}});
        for link in 1..links {
            let before = format!("#/$defs/d{}", link - 1);
            defs[format!("d{link}")] = json!({keyword: [{"$ref": before}, {"$ref": before}]});
        }
        json!({"$ref": format!("#/$defs/d{}", links - 1), "$defs": defs})
    };
    let through_members = |links: usize| {
        let mut defs = json!({"d0": {"type": "null"}});
        for link in 1..links {
            let before = format!("#/$defs/d{}", link - 1);
            defs[format!("d{link}")] = json!({"properties": {"a": {"$ref": before}}});
        }
        json!({"$ref": format!("#/$defs/d{}", links - 1), "$defs": defs})
    };
    let unevaluated =
        |inner: Value| json!({"allOf": [inner, inner], "unevaluatedProperties": false});
    for schema in [
        nested(14, json!({"type": "string"}), twice),
        nested(
            20,
            json!({"type": "string"}),
            |inner| json!({"not": {"not": inner}}),
        ),
        chain("anyOf", 40),
        chain("oneOf", 60),
        chain("allOf", 3000),
        through_members(3000),
        nested(12, json!({"properties": {"a": true}}), unevaluated),
        json!({"anyOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]}),
        json!({"properties": {"a": {"oneOf": [{"$ref": "#"}, {"$ref": "#"}]}}, "additionalProperties": {"$ref": "#/properties/a"}}),
        json!({"$dynamicAnchor": "x", "items": {"allOf": [{"$dynamicRef": "#x"}, {"$dynamicRef": "#x"}]}}),
        json!({"items": {"type": "string", "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"}}),
        json!({"items": {"type": "string", "pattern": "(a{0,50}b?){0,50}c"}}),
        json!({"uniqueItems": true, "contains": {"type": "null"}}),
        json!({"items": {"enum": (0..10_000).collect::<Vec<_>>()}}),
        json!({"patternProperties": {"^(a+)+$": {"$ref": "#"}, "^(a|a)*$": {"$ref": "#"}}}),
    ] {
        let name = schema.to_string();
        let name: String = name.chars().take(80).collect();
        in_time(&name.clone(), move || {
            let Ok(schema) = Schema::compile(&schema.to_string()) else {
                return;
            };
            let limits = ArgumentLimits::new().with_string_bytes(1 << 22).unwrap();
            for instance in [
                nested(31, json!(7), |inner| json!([inner])).to_string(),
                nested(31, json!(7), |inner| json!({"a": inner})).to_string(),
                nested(
                    31,
                    json!({}),
                    |inner| json!({"aaaaaaaaaaaaaaaaaaaaaaaa": inner}),
                )
                .to_string(),
                json!((0..9000).collect::<Vec<_>>()).to_string(),
                json!(["a".repeat(3 << 20)]).to_string(),
                json!(["ab".repeat(30_000)]).to_string(),
                json!(
                    (0..200)
                        .map(|n| (format!("m{n}"), n))
                        .collect::<std::collections::BTreeMap<_, _>>()
                )
                .to_string(),
            ] {
                let begun = Instant::now();
                let _ = schema.check(&instance, &limits);
                let took = begun.elapsed();
                let begin: String = instance.chars().take(20).collect();
                assert!(took < Duration::from_secs(4), "{name} of {begin}: {took:?}");
            }
        });
    }
}
