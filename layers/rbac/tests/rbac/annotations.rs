use std::convert::Infallible;

use bartizan_core::{Principal, RequestBody, identify};
use bartizan_rbac::{
    Annotation, Catalog, Condition, Operation, Policy, PolicyBuilder, RbacLayer, Rule,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use crate::common::post;

/// What the server says of its own tools.
const TOOLS: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[
    {"name":"read","annotations":{"readOnlyHint":true,"destructiveHint":true,"openWorldHint":false}},
    {"name":"add","annotations":{"destructiveHint":false,"idempotentHint":true,"title":"x"}},
    {"name":"drop","annotations":{"destructiveHint":null}},
    {"name":"plain"}, {"name":"null","annotations":null}]}}"#;

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    catalog.read(TOOLS).unwrap();
    catalog
}

fn policy(rule: Rule) -> PolicyBuilder {
    let policy = Policy::builder().role("admin", []).rule(rule);
    policy.annotated_tools(catalog())
}

fn ann(roles: &[&str]) -> Principal {
    Principal::user("https://auth.example.com", "ann")
        .roles(roles)
        .build("jwt")
}

#[test]
fn ta_10_rules_speak_of_tools_as_the_catalogue_says_and_of_others_as_the_worst() {
    let names = ["read", "add", "drop", "plain", "null", "unknown", "READ"];
    for (annotation, covered) in [
        (Annotation::ReadOnly, &["read"][..]),
        (
            Annotation::Destructive,
            &["drop", "plain", "null", "unknown", "READ"],
        ),
        (Annotation::Idempotent, &["add"]),
        (
            Annotation::OpenWorld,
            &["add", "drop", "plain", "null", "unknown", "READ"],
        ),
    ] {
        let policy = policy(Rule::annotated(annotation).identified())
            .build()
            .unwrap();
        let admits = |name: &&str| {
            policy
                .decide(Some(&ann(&[])), &Operation::tool(name))
                .is_admitted()
        };
        let found: Vec<_> = names.into_iter().filter(admits).collect();
        assert_eq!(found, covered, "{annotation:?}");
        let prompt = policy.decide(Some(&ann(&[])), &Operation::prompt("drop"));
        assert!(!prompt.is_admitted());
    }
}

#[test]
fn rules_of_annotations_narrow_others_and_have_exceptions_and_conditions() {
    let rule = Rule::annotated(Annotation::Destructive)
        .except("plain")
        .role("admin");
    let policy = policy(rule)
        .rule(Rule::tool("*").identified())
        .build()
        .unwrap();
    let decide = |roles: &[&str], name| {
        policy
            .decide(Some(&ann(roles)), &Operation::tool(name))
            .is_admitted()
    };
    for (name, anybody) in [
        ("read", true),
        ("add", true),
        ("plain", true),
        ("drop", false),
        ("unknown", false),
    ] {
        assert_eq!(decide(&[], name), anybody, "{name}");
        assert!(decide(&["admin"], name), "{name}");
    }
    let own =
        Rule::annotated(Annotation::ReadOnly).requires(Condition::argument("owner").is_subject());
    let policy = self::policy(own).build().unwrap();
    for (arguments, expected) in [(r#"{"owner":"ann"}"#, true), (r#"{"owner":"bob"}"#, false)] {
        let operation = Operation::tool("read").arguments(arguments);
        assert_eq!(
            policy.decide(Some(&ann(&[])), &operation).is_admitted(),
            expected
        );
    }
}

#[tokio::test]
async fn ta_10_annotations_in_an_answer_change_no_decision() {
    let rule = Rule::annotated(Annotation::ReadOnly).identified();
    let layer = RbacLayer::new(policy(rule).build().unwrap());
    let service = layer.layer(service_fn(
        |request: Request<RequestBody<Full<Bytes>>>| async move {
            let asked = request.into_body().collect().await.unwrap().to_bytes();
            let lies = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [
                {"name": "drop", "annotations": {"readOnlyHint": true}},
                {"name": "read", "annotations": {"readOnlyHint": false}},
            ]}});
            let is_list = asked.windows(10).any(|part| part == b"tools/list");
            let body = if is_list {
                lies.to_string()
            } else {
                "{}".to_owned()
            };
            let answer = Response::builder().header("content-type", "application/json");
            Ok::<_, Infallible>(answer.body(Full::<Bytes>::from(body)).unwrap())
        },
    ));
    let ask = |method: &str, params| {
        let mut request = post(method, params);
        identify(&mut request, ann(&[])).unwrap();
        service.clone().oneshot(request)
    };
    for _ in 0..2 {
        for (name, status) in [("read", 200), ("drop", 403), ("new", 403)] {
            // What a caller says of a tool counts as little.
            let call = json!({"name": name, "annotations": {"readOnlyHint": true}});
            let answer = ask("tools/call", call).await.unwrap();
            assert_eq!(answer.status(), status, "{name}");
        }
        let list = ask("tools/list", json!({})).await.unwrap();
        let list = list.into_body().collect().await.unwrap().to_bytes();
        let list = String::from_utf8_lossy(&list);
        assert!(list.contains("read") && !list.contains("drop"), "{list}");
    }
}

#[test]
fn seed_z5_annotations_that_nobody_gave_or_that_differ_do_not_build() {
    let rule = || Rule::annotated(Annotation::Destructive).role("admin");
    let without = Policy::builder().role("admin", []).rule(rule()).build();
    let error = without.unwrap_err().to_string();
    assert!(
        error.contains("rule `annotated:destructive` speaks of annotations"),
        "{error}"
    );
    let twice = policy(rule())
        .annotated_tools(catalog().tool("read"))
        .build();
    let error = twice.unwrap_err().to_string();
    assert!(error.contains("tool `read` is annotated twice"), "{error}");
    assert!(policy(rule()).annotated_tools(catalog()).build().is_ok());
    let hidden = policy(rule().hidden()).build().unwrap_err().to_string();
    assert!(hidden.contains("hides what is no tool"), "{hidden}");
    for annotations in [
        r#"{"readOnlyHint":"true"}"#,
        r#"{"readOnlyHint":1}"#,
        r#"{"ReadOnlyHint":true}"#,
        r#"{"readOnlyHint":true,"readOnlyHint":false}"#,
        r#"[]"#,
        r#"true"#,
    ] {
        let answer = format!(r#"{{"tools":[{{"name":"x","annotations":{annotations}}}]}}"#);
        assert!(Catalog::default().read(&answer).is_err(), "{annotations}");
    }
    let resources = r#"{"resources":[{"uri":"x:y","annotations":{"priority":1}}]}"#;
    assert!(Catalog::default().read(resources).is_ok());
}

#[test]
fn ta_1_a_rule_of_annotations_that_no_tool_has_is_found() {
    let policy = policy(
        Rule::annotated(Annotation::Idempotent)
            .except("add")
            .identified(),
    );
    let found = policy
        .build()
        .unwrap()
        .lint(&Catalog::default().tool("add").tool("read"));
    let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert_eq!(
        shown[0],
        "rule `annotated:idempotent` matches nothing that the server offers"
    );
}
