//! Schemas that a server wrote to cost something (IV-4, IV-5).

use std::time::{Duration, Instant};

use bartizan_validate::{ArgumentLimits, Schema, SchemaError, Violation};
use serde_json::{Map, Value, json};

type Judged = Result<Result<(), Vec<Violation>>, SchemaError>;

/// Compiles and judges, and fails if that takes long. Of what is not bounded, minutes go by.
fn within_a_bound(schema: &Value, text: &str) -> Judged {
    let begun = Instant::now();
    let schema = Schema::compile(&schema.to_string());
    let judged = schema.map(|schema| schema.check(text, &ArgumentLimits::new()));
    let took = begun.elapsed();
    // Without optimisation, on a machine that has other things to do.
    assert!(took < Duration::from_secs(20), "{took:?}");
    judged
}

fn refusal(judged: Judged) -> String {
    judged.unwrap_err().to_string()
}

fn rule(judged: Judged) -> String {
    judged.unwrap().unwrap_err()[0].rule().to_owned()
}

/// Definitions `e0` to so many, each of which asks the next twice.
fn doubling(levels: usize) -> Map<String, Value> {
    let each = |n: usize| {
        let next = json!({"$ref": format!("#/$defs/e{}", n + 1)});
        (format!("e{n}"), json!({"anyOf": [next, next]}))
    };
    let last = (format!("e{levels}"), json!({"type": "integer"}));
    (0..levels).map(each).chain([last]).collect()
}

/// References mean something else inside of a part with an identity, also if one leads into the middle of it.
#[test]
fn iv_5_no_reference_means_something_else_than_was_counted() {
    for identity in [
        json!({"$id": "https://e.example/x"}),
        json!({"$schema": "http://json-schema.org/draft-04/schema#", "id": "https://e.example/x"}),
        json!({"$id": "#x"}),
    ] {
        for place in ["$defs", "unknown", "default"] {
            let mut part = identity.clone();
            part["$defs"] = doubling(24).into();
            part["properties"] = json!({"inner": {"$ref": "#/$defs/e0"}});
            let mut schema = json!({"$defs": {"e0": true}});
            schema[place]["b"] = part;
            let into = format!("#/{place}/b/properties/inner");
            schema["properties"] = json!({"a": {"$ref": into}});
            let told = refusal(within_a_bound(&schema, r#"{"a":"x"}"#));
            assert!(told.contains("of its own"), "{told}");
        }
    }
    // What is named so is no keyword.
    let named = json!({"properties": {"$id": {"type": "string"}, "$schema": {"type": "string"}}});
    assert!(within_a_bound(&named, r#"{"$id":"a"}"#).unwrap().is_ok());
}

#[test]
fn iv_5_what_doubles_is_judged_in_time_or_not_at_all() {
    for levels in [4, 12, 17, 30, 200] {
        let schema =
            json!({"$defs": doubling(levels), "properties": {"a": {"$ref": "#/$defs/e0"}}});
        let judged = within_a_bound(&schema, r#"{"a":"x"}"#);
        let rule = rule(judged);
        match levels {
            4 | 12 => assert!(rule.ends_with("/anyOf"), "{rule}"),
            // To tell what is wrong with each of so many alternatives would take much memory.
            17 => assert_eq!(rule, "schema"),
            _ => assert_eq!(rule, "work"),
        }
    }
}

#[test]
fn iv_5_names_that_depend_on_names_are_counted() {
    let names: Vec<_> = (0..200).map(|n| format!("m{n}")).collect();
    for keyword in ["dependentRequired", "dependencies"] {
        let lists: Map<_, _> = names
            .iter()
            .map(|name| (name.clone(), json!(names)))
            .collect();
        let mut schema = json!({"properties": {"list": {"items": {keyword: lists}}}});
        if keyword == "dependencies" {
            schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
        }
        let object: Map<_, _> = names.iter().map(|name| (name.clone(), json!(1))).collect();
        let text = |count| json!({"list": vec![object.clone(); count]}).to_string();
        assert_eq!(rule(within_a_bound(&schema, &text(400))), "work");
        assert!(within_a_bound(&schema, &text(2)).unwrap().is_ok());
    }
}

#[test]
fn iv_5_patterns_are_few_and_small() {
    let of = |count: usize, pattern: &str| {
        let each = (0..count).map(|n| (format!("p{n}"), json!({"pattern": pattern})));
        json!({"properties": each.collect::<Map<_, _>>()})
    };
    for (count, pattern) in [
        (4000, "^a{400}$"),
        (4000, "a"),
        (100, "^(?:[ab]*a[ab]{400})$"),
    ] {
        let told = refusal(within_a_bound(&of(count, pattern), "{}"));
        assert!(told.contains("patterns are too large together"), "{told}");
    }
    assert!(
        within_a_bound(&of(500, "^[a-z]+$"), r#"{"p1":"a"}"#)
            .unwrap()
            .is_ok()
    );
    // One that an automaton can't be made of, against a text that never ends well.
    let letters = (0..200_000_u32).map(|n| match n.wrapping_mul(0x9E37_79B9) >> 31 {
        0 => 'a',
        _ => 'b',
    });
    let text = json!({"p0": letters.chain(['c']).collect::<String>()}).to_string();
    for pattern in [
        "[ab]*a[ab]{100}$",
        "[ab]*a[ab]{400}$",
        "(a|b|ab)*$",
        "(?:a?){99}a{99}",
    ] {
        let _ = within_a_bound(&of(1, pattern), &text).unwrap();
    }
    for pattern in [
        "(a)\\1",
        "(?=a)",
        "(?<!a)b",
        "a{99999}",
        "(((a{99}){99}){99})",
    ] {
        within_a_bound(&of(1, pattern), "{}").unwrap_err();
    }
}

#[test]
fn iv_5_what_others_left_over_is_looked_for_within_a_bound() {
    let member =
        json!({"anyOf": [{"properties": {"z": true}}, {"patternProperties": {"^m": true}}]});
    let object: Map<_, _> = (0..250).map(|n| (format!("m{n}"), json!(1))).collect();
    let element = json!({"anyOf": [{"prefixItems": [true]}, {"contains": {"type": "integer"}}]});
    for levels in 1..8 {
        let around = |part: &Value, keyword: &str| {
            (0..levels).fold(part.clone(), |part, _| {
                json!({"anyOf": [{"required": ["q"]}, part], keyword: {"type": "integer"}})
            })
        };
        let _ = within_a_bound(
            &around(&member, "unevaluatedProperties"),
            &json!(object).to_string(),
        );
        let items = json!({"properties": {"a": around(&element, "unevaluatedItems")}});
        let _ = within_a_bound(&items, &json!({"a": vec![1; 5000]}).to_string());
    }
}

#[test]
fn iv_5_references_in_a_row_and_in_a_circle_end() {
    for count in [2, 100, 1300] {
        let each = |n: usize| {
            let next = format!("#/$defs/a{}", (n + 1) % count);
            (
                format!("a{n}"),
                json!({"properties": {"x": {"$ref": next}}}),
            )
        };
        let definitions: Map<_, _> = (0..count).map(each).collect();
        let schema = json!({"$defs": definitions, "$ref": "#/$defs/a0"});
        assert!(
            within_a_bound(&schema, r#"{"x":{"x":{}}}"#)
                .unwrap()
                .is_ok()
        );
        let dynamic = json!({"$dynamicAnchor": "n", "properties": {"x": {"$dynamicRef": "#n"}}});
        assert!(
            within_a_bound(&dynamic, r#"{"x":{"x":{}}}"#)
                .unwrap()
                .is_ok()
        );
    }
    for (name, value) in [("$ref", "#"), ("$dynamicRef", "#n"), ("$recursiveRef", "#")] {
        let circle = json!({"$dynamicAnchor": "n", "anyOf": [{name: value}, {name: value}]});
        assert!(refusal(within_a_bound(&circle, "{}")).contains("without going deeper"));
    }
}

#[test]
fn iv_5_numbers_and_options_are_judged_in_time() {
    let items = |schema: Value| json!({"properties": {"a": {"items": schema}}});
    for divisor in [1e-300, 0.01, 3e300] {
        let text = json!({"a": vec![1.7e308; 5000]}).to_string();
        let _ = within_a_bound(&items(json!({"multipleOf": divisor})), &text);
    }
    let many: Vec<_> = (0..40_000).map(|n| json!(n)).collect();
    let text = json!({"a": vec![39_999; 8000]}).to_string();
    let options = within_a_bound(&items(json!({"enum": many})), &text);
    assert_eq!(rule(options), "work");
    let text = json!({"a": (0..9000).map(|n| json!([n, {"b": [n]}])).collect::<Vec<_>>()});
    let unique = json!({"properties": {"a": {"uniqueItems": true}}});
    assert!(within_a_bound(&unique, &text.to_string()).unwrap().is_ok());
}
