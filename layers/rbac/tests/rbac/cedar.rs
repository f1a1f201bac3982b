//! Policies in the Cedar language, asked through the layer.

use std::{convert::Infallible, sync::Arc};

use bartizan_core::{DenialKind, Principal, RequestBody, SecurityContext};
use bartizan_rbac::{
    CEDAR_BASELINE, CEDAR_SCHEMA, CedarBuilder, CedarEngine, Decision, Operation, Policy,
    PolicyEngine, PolicyHandle, RbacLayer, Rule,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::common::{Caller, post, raw};

const POLICIES: &str = r#"
    @id("viewers read")
    permit (principal in Mcp::Role::"viewer", action == Mcp::Action::"tools/call", resource)
    when { resource.name like "read_*" };

    @id("admins do all")
    permit (principal in Mcp::Role::"admin", action, resource);

    @id("nobody formats")
    forbid (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"format_disk");

    @id("public files")
    permit (principal, action in Mcp::Action::"read", resource is Mcp::Resource)
    when { resource.scheme == "file" && resource.path like "/public/*" };
"#;

fn cedar() -> CedarBuilder {
    CedarEngine::builder()
        .policies(CEDAR_BASELINE)
        .policies(POLICIES)
}

/// All is left to the engine.
fn policy(cedar: CedarBuilder) -> Arc<Policy> {
    let policy = Policy::enterprise().version("7").delegate();
    Arc::new(policy.engine(cedar.build().unwrap()).build().unwrap())
}

fn with(policies: &str) -> Arc<Policy> {
    policy(CedarEngine::builder().policies(policies))
}

fn ann() -> Principal {
    Caller::user(&["viewer"], &[]).principal.unwrap()
}

fn admits(policy: &Policy, operation: &Operation<'_>) -> bool {
    policy.decide(Some(&ann()), operation).is_admitted()
}

#[tokio::test]
async fn what_cedar_permits_passes_and_what_it_forbids_is_refused_like_all_else() {
    let policy = policy(cedar());
    let viewer = Caller::user(&["viewer"], &[]);
    // A developer is a viewer too, and an admin a developer.
    let developer = Caller::user(&["developer"], &[]);
    let admin = Caller::user(&["admin"], &[]);
    for (caller, tool, status, reason) in [
        (
            &viewer,
            "read_note",
            200,
            "engine permits by `viewers read`",
        ),
        (
            &developer,
            "read_note",
            200,
            "engine permits by `viewers read`",
        ),
        (&viewer, "edit_note", 403, "policy `7`: engine forbids"),
        (
            &admin,
            "edit_note",
            200,
            "engine permits by `admins do all`",
        ),
        (
            &admin,
            "format_disk",
            403,
            "policy `7`: engine forbids by `nobody formats`",
        ),
    ] {
        let answer = caller.tool(&policy, tool).await;
        assert_eq!(answer.status().as_u16(), status, "{tool}");
        let found = &answer.finding().reason;
        assert!(found.ends_with(reason), "{found}");
        if status == 403 {
            assert_eq!(answer.denial().kind(), DenialKind::Forbidden);
            assert!(answer.text().await.contains("not permitted"));
        }
    }
    let anonymous = Caller::anonymous();
    assert_eq!(anonymous.tool(&policy, "read_note").await.status(), 401);
    assert_eq!(
        anonymous.call(&policy, "ping", json!({})).await.status(),
        200
    );
    assert_eq!(
        anonymous
            .call(&policy, "tools/list", json!({}))
            .await
            .status(),
        401
    );
}

#[tokio::test]
async fn a_policy_that_cannot_be_evaluated_denies_whatever_the_others_say() {
    let open = "@id(\"open\") permit (principal, action, resource);";
    let sums = |effect: &str| {
        format!(
            "{open} @id(\"sums\") {effect} (principal, action == Mcp::Action::\"tools/call\", resource)
             when {{ context.arguments has pay && context.arguments.pay.sum + 1 > 100 }};"
        )
    };
    let ghost = format!(
        "{open} @id(\"ghost\") forbid (principal, action, resource)
         when {{ Mcp::Tool::\"ghost\".name == \"x\" }};"
    );
    let overflow = r#"{"sum": 9223372036854775807}"#;
    let fine = r#"{"sum": 5}"#;
    for (text, json, policy, status) in [
        (sums("forbid"), fine, "", 200),
        (sums("forbid"), overflow, "sums", 403),
        (sums("permit"), fine, "", 200),
        (sums("permit"), overflow, "sums", 403),
        (ghost, fine, "ghost", 403),
    ] {
        let cedar = CedarEngine::builder().policies(&text);
        let built = self::policy(cedar.tool_arguments("pay", "sum: Long"));
        let arguments: Value = serde_json::from_str(json).unwrap();
        let params = json!({"name": "pay", "arguments": arguments});
        let answer = Caller::user(&["viewer"], &[])
            .call(&built, "tools/call", params)
            .await;
        assert_eq!(answer.status().as_u16(), status, "{text}");
        if status == 403 {
            let kinds: Vec<_> = answer.findings.iter().map(|f| f.kind).collect();
            assert_eq!(kinds, ["engine_failed", "forbidden"]);
            let expected =
                format!("policy `7`: engine failed: policy `{policy}` could not be evaluated");
            assert_eq!(answer.denial().reason(), expected);
            let text = answer.text().await;
            assert!(
                text.contains("not permitted") && !text.contains("evaluated"),
                "{text}"
            );
        }
    }
}

/// Permits every call of `t` whose arguments fit.
fn declared(types: &str) -> Arc<Policy> {
    let cedar = CedarEngine::builder().policies("permit (principal, action, resource);");
    policy(cedar.tool_arguments("t", types))
}

fn given(policy: &Policy, json: &str) -> Decision {
    policy.decide(Some(&ann()), &Operation::tool("t").arguments(json))
}

#[test]
fn ta_4_arguments_are_what_was_declared_or_the_call_is_denied() {
    let all = r#"b: Bool, n: Long, s: String, "x-y"?: Set<Long>, r?: { k?: String, "q": Set<{ z: Bool }> }"#;
    let all = declared(all);
    let yes = [
        r#"{"b":true,"n":-5,"s":"x"}"#,
        r#"{"b":false,"n":-0,"s":"\u0000\ud83d\ude00","x-y":[],"r":{"q":[]}}"#,
        r#"{"n":9223372036854775807,"s":"","b":true,"x-y":[1,2,1],"r":{"k":"","q":[{"z":true,"other":1e999}]}}"#,
        // What is not declared is not seen, whatever it is.
        r#"{"b":true,"n":1,"s":"x","f":1.5,"null":null,"deep":[[[{"n":1e400}]]]}"#,
        // What Cedar's own JSON takes for an entity or a function is a string that says so.
        r#"{"b":true,"n":1,"s":"__entity","r":{"q":[],"__entity":{"type":"Mcp::Role","id":"admin"}}}"#,
    ];
    for json in yes {
        assert_eq!(given(&all, json), Decision::Admitted, "{json}");
    }
    let no = [
        "",
        "[]",
        "{}",
        r#"{"b":true,"n":1}"#,
        r#"{"b":true,"n":1,"s":null}"#,
        r#"{"b":1,"n":1,"s":"x"}"#,
        r#"{"b":"true","n":1,"s":"x"}"#,
        r#"{"b":true,"n":"1","s":"x"}"#,
        r#"{"b":true,"n":1.0,"s":"x"}"#,
        r#"{"b":true,"n":1e2,"s":"x"}"#,
        r#"{"b":true,"n":9223372036854775808,"s":"x"}"#,
        r#"{"b":true,"n":null,"s":"x"}"#,
        r#"{"b":true,"n":1,"s":"x","x-y":null}"#,
        r#"{"b":true,"n":1,"s":"x","x-y":{"0":1}}"#,
        r#"{"b":true,"n":1,"s":"x","x-y":[1,"2"]}"#,
        r#"{"b":true,"n":1,"s":"x","r":{}}"#,
        r#"{"b":true,"n":1,"s":"x","r":{"q":[{}]}}"#,
        r#"{"b":true,"n":1,"s":"x","r":{"q":[],"k":null}}"#,
        r#"{"b":true,"n":1,"s":{"__extn":{"fn":"ip","arg":"::1"}}}"#,
        r#"{"b":true,"n":1,"s":{"__entity":{"type":"Mcp::Role","id":"admin"}}}"#,
        // What might be read otherwise.
        r#"{"b":true,"n":1,"n":2,"s":"x"}"#,
        r#"{"b":true,"n":1,"N":2,"s":"x"}"#,
        r#"{"b":true,"n":1,"s":"x","r":{"q":[],"Q":[]}}"#,
        r#"{"b":true,"n":1,"s":"x"} x"#,
        r#"{"b":true,"n":1,"s":"x""#,
    ];
    for json in no {
        assert_eq!(given(&all, json), Decision::Forbidden, "{json}");
    }
    // All of them are optional: nothing is fine.
    assert_eq!(given(&declared("n?: Long"), ""), Decision::Forbidden);
    assert_eq!(given(&declared("n?: Long"), "{}"), Decision::Admitted);
    let cedar = CedarEngine::builder().policies("permit (principal, action, resource);");
    let optional = policy(cedar.clone().tool_arguments("t", "n?: Long"));
    assert!(admits(&optional, &Operation::tool("t")));
    let required = policy(cedar.tool_arguments("t", "n: Long"));
    assert!(!admits(&required, &Operation::tool("t")));
    assert!(admits(
        &required,
        &Operation::tool("u").arguments("{\"n\": null}")
    ));
}

#[test]
fn iv_6_what_a_call_hands_to_policies_is_bounded_and_what_they_do_not_see_is_not() {
    let (one, two) = (declared("s: String"), declared("a: String, b: String"));
    let set = declared("s: Set<Long>");
    for (bytes, expected) in [(65_536, Decision::Admitted), (65_537, Decision::Forbidden)] {
        let long = "x".repeat(bytes);
        let json = format!(r#"{{"s":"{long}"}}"#);
        assert_eq!(given(&one, &json), expected);
        let other = format!(r#"{{"s":"","content":"{long}"}}"#);
        assert_eq!(given(&one, &other), Decision::Admitted);
        let halves = format!(r#"{{"a":"{}","b":"{}"}}"#, &long[..32_768], &long[32_768..]);
        assert_eq!(given(&two, &halves), expected);
    }
    // The record and its set are values too.
    for (count, expected) in [(4094, Decision::Admitted), (4095, Decision::Forbidden)] {
        let json = format!(r#"{{"s":[{}1]}}"#, "1,".repeat(count - 1));
        assert_eq!(given(&set, &json), expected);
    }
}

#[test]
fn arguments_decide_where_a_policy_asks_for_them() {
    let policies = r#"
        @id("small") permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"pay")
        when { context.arguments has pay && context.arguments.pay.sum <= 100
            && context.arguments.pay has tags && context.arguments.pay.tags.containsAll(["ok"]) };
        permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"pay")
        unless { context.arguments_known };
    "#;
    let cedar = CedarEngine::builder().policies(policies);
    let policy = policy(cedar.tool_arguments("pay", "sum: Long, tags?: Set<String>"));
    for (json, expected) in [
        (r#"{"sum":100,"tags":["ok","more"]}"#, true),
        (r#"{"sum":101,"tags":["ok"]}"#, false),
        (r#"{"sum":1,"tags":["more"]}"#, false),
        (r#"{"sum":1}"#, false),
    ] {
        let operation = Operation::tool("pay").arguments(json);
        assert_eq!(admits(&policy, &operation), expected, "{json}");
    }
    assert!(
        !admits(&policy, &Operation::tool("pay")),
        "a call without arguments is one"
    );
}

/// What of a list of tools is shown to a viewer.
async fn shown(layer: &RbacLayer, tools: &[&str]) -> Vec<String> {
    let mut request = post("tools/list", json!({}));
    let context = SecurityContext::of(&mut request);
    context.set_principal(ann()).unwrap();
    let tools: Vec<_> = tools.iter().map(|name| json!({"name": name})).collect();
    let list = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string();
    let service = layer.layer(service_fn(|_: Request<RequestBody<Full<Bytes>>>| {
        let answer = Response::builder().header("content-type", "application/json");
        let answer = answer.body(Full::<Bytes>::from(list.clone())).unwrap();
        async { Ok::<_, Infallible>(answer) }
    }));
    let answer = service.oneshot(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let names = body["result"]["tools"].as_array().into_iter().flatten();
    names
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn ta_2_lists_are_filtered_by_cedar_and_swap_and_shadow_take_engines() {
    const TOOLS: [&str; 3] = ["read_note", "edit_note", "format_disk"];
    let handle = PolicyHandle::new(policy(cedar()));
    let layer = RbacLayer::with_handle(handle.clone());
    assert_eq!(shown(&layer, &TOOLS).await, ["read_note"]);
    let open = with("permit (principal, action, resource);");
    let before = handle.swap(Arc::clone(&open));
    assert_eq!(shown(&layer, &TOOLS).await, TOOLS);
    // In shadow it changes nothing, and tells.
    let layer = RbacLayer::new(open).shadow(before);
    let mut request = post("tools/call", json!({"name": "edit_note"}));
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    context.set_principal(ann()).unwrap();
    let service = layer.layer(service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
    let findings = context.trail().unwrap().findings();
    let differs = findings
        .iter()
        .find(|f| f.kind == "shadow_differs")
        .unwrap();
    assert!(
        differs
            .reason
            .ends_with("in shadow forbidden, policy `7`: engine forbids")
    );
}

#[test]
fn tv_16_no_two_parties_have_one_entity_however_they_are_spelt() {
    let hostile = [
        ("https://a", "b"),
        ("https://a#b", ""),
        ("https://a", "#b"),
        ("https://a#", "b"),
        ("https://a%23", "b"),
        ("https://a%23b", ""),
        ("", "https://a#b"),
        ("https://a\", \"b", ""),
        ("https://a", "\"::\"b"),
        ("https://a\nb", ""),
        ("https://a", "\nb"),
        ("https://a\\", "b"),
    ];
    for (issuer, subject) in hostile {
        let id = CedarEngine::principal_id(issuer, subject);
        let literal = serde_json::to_string(&id)
            .unwrap()
            .replace("\\u000a", "\\n");
        for kind in ["User", "Service"] {
            let policy = with(&format!(
                "permit (principal == Mcp::{kind}::{literal}, action, resource);"
            ));
            for (other_issuer, other_subject) in hostile {
                let user = Principal::user(other_issuer, other_subject).build("jwt");
                let service = Principal::service(other_issuer, other_subject).build("jwt");
                let is_it = (issuer, subject) == (other_issuer, other_subject);
                for (is_user, principal) in [(true, user), (false, service)] {
                    let decision = policy.decide(Some(&principal), &Operation::tool("x"));
                    let expected = is_it && is_user == (kind == "User");
                    assert_eq!(
                        decision.is_admitted(),
                        expected,
                        "{id} {other_issuer} {other_subject}"
                    );
                }
            }
        }
    }
    let text = with(
        r#"permit (principal, action, resource) when {
        principal is Mcp::User && principal.issuer == "i" && principal.subject == "s" };"#,
    );
    let same = Principal::user("i", "s").build("jwt");
    assert!(
        text.decide(Some(&same), &Operation::tool("x"))
            .is_admitted()
    );
}

#[test]
fn who_asks_is_seen_with_what_the_credential_says() {
    let policy = with(
        r#"permit (principal is Mcp::Service, action, resource)
        when { principal.scopes.containsAll(["a", "b"]) && principal.method == "apikey"
            && principal has tenant && principal.tenant == "acme"
            && principal has client_id && principal.client_id == "agent"
            && principal in Mcp::Role::"no role of the policy" };"#,
    );
    let bot = || {
        let bot = Principal::service("i", "bot")
            .tenant("acme")
            .client_id("agent");
        bot.roles(["no role of the policy"]).scopes(["b", "c", "a"])
    };
    let decide = |principal: Principal| policy.decide(Some(&principal), &Operation::tool("x"));
    assert_eq!(decide(bot().build("apikey")), Decision::Admitted);
    assert_eq!(decide(bot().build("jwt")), Decision::Forbidden);
    assert_eq!(
        decide(bot().scopes(["a"]).build("apikey")),
        Decision::Forbidden
    );
    assert_eq!(
        decide(bot().tenant("other").build("apikey")),
        Decision::Forbidden
    );
    assert_eq!(
        decide(bot().roles(["admin"]).build("apikey")),
        Decision::Forbidden
    );
    let many = (0..1025).map(|n| n.to_string());
    assert_eq!(
        decide(bot().scopes(many).build("apikey")),
        Decision::Forbidden
    );
}

#[tokio::test]
async fn every_method_has_an_action_and_unknown_ones_are_other() {
    let caller = Caller::user(&[], &[]);
    let only = |action: &str| {
        with(&format!(
            "permit (principal, action == Mcp::Action::\"{action}\", resource);"
        ))
    };
    for (method, params, action) in [
        ("initialize", json!({}), "initialize"),
        ("prompts/get", json!({"name": "p"}), "prompts/get"),
        (
            "resources/read",
            json!({"uri": "file:///a"}),
            "resources/read",
        ),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "p"}}),
            "completion/complete",
        ),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/resource", "uri": "file:///{a}"}}),
            "completion/complete",
        ),
        ("tasks/get", json!({"taskId": "1"}), "tasks/get"),
        ("tasks/list", json!({}), "tasks/list"),
        (
            "logging/setLevel",
            json!({"level": "info"}),
            "logging/setLevel",
        ),
        ("acme/unknown", json!({}), "other"),
        // These are names of actions, and of no method.
        ("other", json!({}), "other"),
        ("stream", json!({}), "other"),
        ("end_session", json!({}), "other"),
        ("lifecycle", json!({}), "other"),
        ("call", json!({}), "other"),
    ] {
        let answer = caller.call(&only(action), method, params.clone()).await;
        assert_eq!(
            answer.status().as_u16(),
            200,
            "{method}: {:?}",
            answer.findings
        );
        let answer = caller.call(&only("ping"), method, params).await;
        assert_eq!(answer.status().as_u16(), 403, "{method}");
    }
    let named = with(
        r#"permit (principal, action == Mcp::Action::"other", resource) when { context.method like "acme/*" };"#,
    );
    assert_eq!(caller.call(&named, "acme/x", json!({})).await.status(), 200);
    assert_eq!(caller.call(&named, "acne/x", json!({})).await.status(), 403);
    for (method, action) in [("GET", "stream"), ("DELETE", "end_session")] {
        let request = || {
            let request = Request::builder().method(method).uri("/mcp");
            request.body(Full::default()).unwrap()
        };
        assert_eq!(caller.ask(&only(action), request()).await.status(), 200);
        assert_eq!(caller.ask(&only("response"), request()).await.status(), 403);
    }
    let response = || raw(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!(
        caller.ask(&only("response"), response()).await.status(),
        200
    );
    assert_eq!(caller.ask(&only("stream"), response()).await.status(), 403);
}

#[tokio::test]
async fn a_call_that_is_sent_as_a_notification_is_a_call() {
    let policy = with(
        r#"permit (principal, action, resource);
        @id("no") forbid (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"x");"#,
    );
    let body = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}"#;
    let answer = Caller::user(&[], &[]).ask(&policy, raw(body)).await;
    assert_eq!((answer.status().as_u16(), answer.reached), (403, 0));
}

#[test]
fn the_baseline_in_cedar_opens_what_the_baseline_of_rules_opens() {
    let cedar = policy(CedarEngine::builder().policies(CEDAR_BASELINE));
    let rules = Policy::enterprise().build().unwrap();
    for method in [
        "initialize",
        "server/discover",
        "ping",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "tasks/list",
        "tools/call",
        "logging/setLevel",
        "subscriptions/listen",
        "acme/x",
        "skills/list",
        "notifications/tasks/status",
    ] {
        let operation = Operation::method(method);
        for principal in [ann(), Principal::anonymous()] {
            let (a, b) = (
                cedar.decide(Some(&principal), &operation).is_admitted(),
                rules.decide(Some(&principal), &operation).is_admitted(),
            );
            assert_eq!(a, b, "{method}");
        }
    }
}

#[test]
fn ta_6_a_resource_is_seen_in_its_one_spelling() {
    let policy = policy(cedar());
    for (uri, expected) in [
        ("file:///public/a", true),
        ("file:///public/a/", true),
        ("file:///public", false),
        ("file:///publicity/a", false),
        ("file:///public/../a", false),
        ("file:///public/%2e%2e/a", false),
        ("https://h/public/a", false),
    ] {
        assert_eq!(
            admits(&policy, &Operation::resource(uri)),
            expected,
            "{uri}"
        );
    }
    let secret = with(
        r#"permit (principal, action, resource);
        forbid (principal, action, resource == Mcp::Resource::"https://h/secret");"#,
    );
    for (uri, expected) in [
        ("https://h/secret", false),
        ("https://h/secret/", false),
        ("https://h/secret?x", false),
        ("https://h/secret/?x", false),
        ("https://h/secrets", true),
    ] {
        assert_eq!(
            admits(&secret, &Operation::resource(uri)),
            expected,
            "{uri}"
        );
    }
    let parts = with(
        r#"permit (principal, action, resource is Mcp::Resource)
        when { resource.scheme == "https" && resource has authority && resource.authority == "h:81"
            && resource.path == "/a/b" && resource has query && resource.query == "c=d" };
        permit (principal, action, resource is Mcp::Resource)
        when { resource.scheme == "urn" && resource.path == "isbn:1" && !(resource has authority) };
        permit (principal, action, resource is Mcp::Resource)
        when { resource.is_template && resource.path == "/x/{y}" };"#,
    );
    assert!(admits(&parts, &Operation::resource("https://h:81/a/b?c=d")));
    assert!(!admits(&parts, &Operation::resource("https://h:81/a/b")));
    assert!(admits(&parts, &Operation::resource("urn:isbn:1")));
    assert!(admits(
        &parts,
        &Operation::resource_template("file:///x/{y}")
    ));
    assert!(!admits(&parts, &Operation::resource("file:///x/{y}")));
}

#[test]
fn roles_groups_and_tags_can_be_said() {
    let entities = r#"[
        {"uid": {"type": "Mcp::Role", "id": "viewer"}, "attrs": {},
         "parents": [{"type": "Mcp::Role", "id": "reader"}]},
        {"uid": {"type": "Mcp::Role", "id": "reader"}, "attrs": {},
         "parents": [{"type": "Mcp::Role", "id": "guest"}]},
        {"uid": {"type": "Mcp::Tool", "id": "drop"}, "attrs": {"name": "drop"},
         "parents": [{"type": "Mcp::Group", "id": "sql"}], "tags": {"risk": "high"}},
        {"uid": {"type": "Mcp::Tool", "id": "select"}, "attrs": {"name": "select"},
         "parents": [{"type": "Mcp::Group", "id": "sql"}], "tags": {"risk": "low"}},
        {"uid": {"type": "Mcp::Group", "id": "sql"}, "attrs": {},
         "parents": [{"type": "Mcp::Group", "id": "data"}]}
    ]"#;
    let policies = r#"
        permit (principal in Mcp::Role::"guest", action == Mcp::Action::"tools/call",
            resource in Mcp::Group::"data")
        unless { resource.hasTag("risk") && resource.getTag("risk") == "high" };
        forbid (principal, action, resource)
        when { Mcp::Tool::"drop" in Mcp::Group::"nowhere" || !(Mcp::Tool::"drop" in Mcp::Group::"data") };
    "#;
    let head_and_condition = r#"
        permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"select")
        when { Mcp::Tool::"select".name == "select" && Mcp::Tool::"drop" in Mcp::Group::"data" };
        permit (principal, action == Mcp::Action::"prompts/get", resource)
        when { Mcp::Tool::"select" in Mcp::Group::"data" && resource.name == "p" };
        permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"drop")
        when { resource in Mcp::Group::"data" && resource.getTag("risk") == "low" };
    "#
    .replace(
        "resource.getTag",
        "resource.hasTag(\"risk\") && resource.getTag",
    );
    let cedar = CedarEngine::builder().policies(&head_and_condition);
    let heads = policy(cedar.entities(entities));
    assert!(admits(&heads, &Operation::tool("select")));
    assert!(admits(&heads, &Operation::prompt("p")));
    assert!(!admits(&heads, &Operation::tool("drop")));
    let cedar = CedarEngine::builder().policies(policies).entities(entities);
    let policy = policy(cedar);
    assert!(admits(&policy, &Operation::tool("select")));
    assert!(!admits(&policy, &Operation::tool("drop")));
    assert!(!admits(&policy, &Operation::tool("other")));
    let nobody = Principal::user("i", "s").build("jwt");
    assert!(
        !policy
            .decide(Some(&nobody), &Operation::tool("select"))
            .is_admitted()
    );
}

#[test]
fn what_is_wrong_is_told_with_the_policy_and_its_place() {
    let call = "permit (principal, action == Mcp::Action::\"tools/call\", resource)";
    for (policies, expected) in [
        ("", "there is none"),
        (
            "permit (principal, action, resource)",
            "policies, line 1, column 37",
        ),
        (
            "\n  permit (principal, acton, resource);",
            "policies, line 2, column 22",
        ),
        (
            "permit (principal, action, resource);\n@id(\"x\")\npermit (principal, action, resource)\n  when { resource.nam == \"x\" };",
            "policies, line 4, column 10: for policy `x`",
        ),
        (
            &format!("{call} when {{ resource.name > 5 }};"),
            "for policy `policy0`",
        ),
        (
            &format!("{call} when {{ context.revision == \"x\" }};"),
            "for policy `policy0`",
        ),
        (
            &format!("{call} when {{ context.arguments.t.x == 1 }};"),
            "for policy `policy0`",
        ),
        (
            &format!("{call} when {{ principal.tenant == \"x\" }};"),
            "for policy `policy0`",
        ),
        (
            &format!("@id(\"n\") {call} when {{ resource == Mcp::Prompt::\"x\" }};"),
            "for policy `n`",
        ),
        (
            "permit (principal, action == Mcp::Action::\"tools/cal\", resource);",
            "for policy `policy0`",
        ),
        (
            "permit (principal in Role::\"admin\", action, resource);",
            "for policy `policy0`",
        ),
        (
            "permit (principal == ?principal, action, resource);",
            "policy `policy0`: is a template",
        ),
        (
            "@id(\"a\") permit (principal, action, resource); @id(\"a\") forbid (principal, action, resource);",
            "policy `a`: has the id of another",
        ),
        // Cedar only warns: it never applies.
        (
            &format!("@id(\"w\") {call} when {{ false }};"),
            "for policy `w`",
        ),
    ] {
        let error = CedarEngine::new(policies).unwrap_err().to_string();
        assert!(error.contains(expected), "{policies}\n{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    for (tool, types, expected) in [
        ("t", "x: Long", ""),
        ("send-mail/v1.2", "x: Long", ""),
        ("t", "", ""),
        ("", "x: Long", "arguments of tool ``: is no name"),
        ("t\"", "x: Long", "is no name"),
        ("t", "x: Lon", "type `Lon` is none of JSON's"),
        ("t", "x: Mcp::Role", "is none of JSON's"),
        ("t", "x", "arguments of tool `t`"),
        (
            "t",
            "x: Long }; entity Evil; type B = {",
            "arguments of tool `t`",
        ),
        (
            "t",
            "x: Long }; type B = { y: Long",
            "arguments of tool `t`",
        ),
        ("t", "\"ä\": Long", "argument `ä` is not ASCII"),
    ] {
        let built = cedar().tool_arguments(tool, types).build();
        match built.map_err(|error| error.to_string()) {
            Ok(_) => assert_eq!(expected, "", "{types}"),
            Err(error) => {
                let expected = expected.replace('ä', "\\u{e4}");
                assert!(
                    !expected.is_empty() && error.contains(&expected),
                    "{types}: {error}"
                );
            }
        }
    }
    let twice = cedar()
        .tool_arguments("t", "x: Long")
        .tool_arguments("t", "y: Long");
    assert!(
        twice
            .build()
            .unwrap_err()
            .to_string()
            .contains("declared twice")
    );
    for (entities, expected) in [
        ("[", "entities: "),
        (
            r#"[{"uid":{"type":"Mcp::Nothing","id":"x"},"attrs":{},"parents":[]}]"#,
            "entities: ",
        ),
        (
            r#"[{"uid":{"type":"Mcp::Tool","id":"x"},"attrs":{},"parents":[]}]"#,
            "entities: ",
        ),
        (
            r#"[{"uid":{"type":"Mcp::Tool","id":"x"},"attrs":{"name":"y"},"parents":[]}]"#,
            "entity `Mcp::Tool::\"x\"`: has another `name`",
        ),
        (
            r#"[{"uid":{"type":"Mcp::Anonymous","id":"x"},"attrs":{},"parents":[]}]"#,
            "comes with requests",
        ),
        (
            r#"[{"uid":{"type":"Mcp::Role","id":"x"},"attrs":{},"parents":[{"type":"Mcp::Role","id":"x"}]}]"#,
            "entities: ",
        ),
    ] {
        let error = cedar().entities(entities).build().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_schema_is_told_with_the_arguments_and_the_version_follows_the_contents() {
    let plain = cedar().build().unwrap();
    assert_eq!(plain.schema(), CEDAR_SCHEMA);
    let more = cedar().tool_arguments("t", "x: Long").build().unwrap();
    assert!(more.schema().contains("\"t\"?: { x: Long }"));
    let versions = [
        plain.version().to_owned(),
        more.version().to_owned(),
        cedar().entities("[]").build().unwrap().version().to_owned(),
        cedar()
            .policies("@id(\"x\") permit (principal, action, resource);")
            .build()
            .unwrap()
            .version()
            .to_owned(),
    ];
    for (place, version) in versions.iter().enumerate() {
        assert!(
            !versions[..place].contains(version) || place == 2,
            "{versions:?}"
        );
    }
    // Written down: it is to be the same on every machine.
    let fixed = CedarEngine::new("permit (principal, action, resource);").unwrap();
    assert_eq!(fixed.version(), "cedar-081de2dd05c5");
    let policy = Policy::builder()
        .rule(Rule::tool("x").identified())
        .engine(fixed)
        .build()
        .unwrap();
    assert!(policy.version().ends_with("+cedar-081de2dd05c5"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn cedar_answers_as_its_policies_read(
        roles in prop::collection::vec(prop::sample::select(vec!["viewer", "admin", "analyst", "other"]), 0..3),
        scopes in prop::collection::vec(prop::sample::select(vec!["write", "read"]), 0..3),
        tool in prop::sample::select(vec!["read_a", "read_", "xread_a", "write", "format_disk"]),
        amount in prop::option::of(-3_i64..3),
    ) {
        static POLICY: std::sync::LazyLock<Arc<Policy>> = std::sync::LazyLock::new(|| {
            let text = r#"
                permit (principal in Mcp::Role::"viewer", action == Mcp::Action::"tools/call", resource)
                when { resource.name like "read_*" };
                permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"write")
                when { principal is Mcp::User && principal.scopes.contains("write")
                    && context.arguments has write && context.arguments.write has amount
                    && context.arguments.write.amount > 0 };
                permit (principal in Mcp::Role::"admin", action, resource);
                forbid (principal, action, resource == Mcp::Tool::"format_disk");
            "#;
            let cedar = CedarEngine::builder().policies(text);
            policy(cedar.tool_arguments("write", "amount?: Long"))
        });
        let ann = Principal::user("i", "ann").roles(roles.clone()).scopes(scopes.clone()).build("jwt");
        let json = amount.map_or("{}".to_owned(), |amount| format!("{{\"amount\":{amount}}}"));
        let decision = POLICY.decide(Some(&ann), &Operation::tool(tool).arguments(&json));
        let is_viewer = roles.iter().any(|role| ["viewer", "admin", "analyst"].contains(role));
        let expected = tool != "format_disk" && (roles.contains(&"admin")
            || is_viewer && tool.starts_with("read_")
            || tool == "write" && scopes.contains(&"write") && amount.is_some_and(|amount| amount > 0));
        prop_assert_eq!(decision.is_admitted(), expected);
    }

    #[test]
    fn whatever_arguments_hold_is_answered(json in "[\\[\\]{}:,\"a0-9.e\\\\ntrue -]{0,40}") {
        static POLICY: std::sync::LazyLock<Arc<Policy>> =
            std::sync::LazyLock::new(|| declared("a?: Set<Set<Long>>, e?: { a?: Long }"));
        let decision = given(&POLICY, &json);
        prop_assert!(matches!(decision, Decision::Admitted | Decision::Forbidden));
    }
}
