//! An engine decides besides the rules.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bartizan_core::{
    DenialKind, Finding, RequestBody, SecurityContext, Verdict,
    call::{Revision, Subject},
};
use bartizan_rbac::{
    Answer, Arguments, Decision, EngineError, Operation, Policy, PolicyBuilder, PolicyEngine,
    PolicyHandle, Question, RbacLayer, Rule,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use crate::common::{Caller, post, raw};

type Decides = fn(&Question<'_>) -> Result<Answer, EngineError>;

/// What it is asked, and answers by a function.
struct Scripted {
    decides: Decides,
    asked: Arc<Mutex<Vec<String>>>,
    version: &'static str,
}

impl PolicyEngine for Scripted {
    fn decide(&self, question: &Question<'_>) -> Result<Answer, EngineError> {
        let name = question.name().unwrap_or("-");
        let asked = format!("{:?} {} {name}", question.kind(), question.method());
        self.asked.lock().unwrap().push(asked);
        (self.decides)(question)
    }

    fn version(&self) -> &str {
        self.version
    }
}

fn engine(decides: Decides) -> (Scripted, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::default();
    let scripted = Scripted {
        decides,
        asked: Arc::clone(&asked),
        version: "scripted",
    };
    (scripted, asked)
}

/// Permits what is named `a…`, forbids the rest, and has trouble with `error`, `panic` and `panic_twice`.
fn by_name(question: &Question<'_>) -> Result<Answer, EngineError> {
    match question.name() {
        Some("error") => Err(EngineError::new("a\nline of trouble")),
        #[expect(clippy::panic, reason = "that is what is tested")]
        Some("panic") => panic!("in an engine"),
        #[expect(clippy::panic, reason = "that is what is tested")]
        Some("panic_twice") => std::panic::panic_any(PanicsAgain),
        Some(name) if !name.starts_with('a') => Ok(Answer::forbid().by(["no others"])),
        _ => Ok(Answer::permit().by(["only a"])),
    }
}

/// What a panic carries, and panics when it goes.
struct PanicsAgain;

impl Drop for PanicsAgain {
    #[expect(clippy::panic, reason = "that is what is tested")]
    fn drop(&mut self) {
        std::panic::panic_any("of what the panic carried");
    }
}

fn policy() -> PolicyBuilder {
    Policy::enterprise()
        .version("7")
        .rule(Rule::tool("admin_*").role("admin"))
        .rule(Rule::tool("*").any_role(["viewer", "service"]))
        .rule(Rule::tool("*_scoped").scope("more"))
        .rule(Rule::tool("anyones").anyone())
}

fn built(builder: PolicyBuilder) -> Arc<Policy> {
    Arc::new(builder.build().unwrap())
}

#[tokio::test]
async fn what_the_rules_admit_needs_the_engine_too_and_nobody_outside_learns_which_refused() {
    let (scripted, asked) = engine(by_name);
    let policy = built(policy().engine(scripted));
    let viewer = Caller::user(&["viewer"], &[]);
    let answer = viewer.tool(&policy, "a_tool").await;
    assert_eq!((answer.status().as_u16(), answer.reached), (200, 1));
    assert_eq!(
        answer.finding().reason,
        "policy `7`: rule `tool:*`, engine permits by `only a`"
    );
    let mut refusals = Vec::new();
    for (tool, reason) in [
        ("b_tool", "policy `7`: engine forbids by `no others`"),
        ("panic", "policy `7`: engine failed: it panicked"),
        ("panic_twice", "policy `7`: engine failed: it panicked"),
        ("error", r"policy `7`: engine failed: a\u{a}line of trouble"),
        (
            "admin_b",
            "policy `7`: rule `tool:admin_*` lacks role `admin`",
        ),
    ] {
        let answer = viewer.tool(&policy, tool).await;
        assert_eq!(
            (answer.status().as_u16(), answer.reached),
            (403, 0),
            "{tool}"
        );
        assert_eq!(answer.denial().kind(), DenialKind::Forbidden);
        let failed = reason.contains("failed");
        let kinds: Vec<_> = answer.findings.iter().map(|finding| finding.kind).collect();
        let expected = if failed {
            &["engine_failed", "forbidden"][..]
        } else {
            &["forbidden"]
        };
        assert_eq!(kinds, expected, "{tool}");
        assert!(
            answer
                .findings
                .iter()
                .all(|finding| finding.reason == reason)
        );
        refusals.push(answer.text().await);
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    // What the rules refuse is not asked about.
    let asked = asked.lock().unwrap();
    assert!(
        asked.iter().all(|asked| !asked.contains("admin_b")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn nobody_is_sent_for_a_scope_that_would_not_help() {
    let policy = built(policy().engine(engine(by_name).0));
    let viewer = Caller::user(&["viewer"], &[]);
    for (tool, kind) in [
        ("a_scoped", DenialKind::ScopeInsufficient),
        ("b_scoped", DenialKind::Forbidden),
    ] {
        let answer = viewer.tool(&policy, tool).await;
        assert_eq!(answer.denial().kind(), kind, "{tool}");
        assert_eq!(answer.challenges().len(), usize::from(tool == "a_scoped"));
    }
}

#[tokio::test]
async fn ac_1_an_anonymous_caller_that_the_engine_does_not_permit_is_asked_to_identify() {
    let closed = built(policy().engine(engine(|_| Ok(Answer::forbid())).0));
    let answer = Caller::anonymous().tool(&closed, "anyones").await;
    // The other rule for it needs somebody.
    assert_eq!(answer.status().as_u16(), 401);
    let open = Policy::builder().rule(Rule::tool("anyones").anyone());
    let open = built(open.engine(engine(|_| Ok(Answer::forbid())).0));
    let answer = Caller::anonymous().tool(&open, "anyones").await;
    assert_eq!((answer.status().as_u16(), answer.reached), (401, 0));
    assert_eq!(answer.challenges().len(), 1);
}

#[tokio::test]
async fn the_engine_is_asked_about_all_that_a_request_does() {
    let (scripted, asked) = engine(|_| Ok(Answer::permit()));
    let policy = built(Policy::builder().delegate().engine(scripted));
    let caller = Caller::user(&[], &[]);
    caller.call(&policy, "initialize", json!({})).await;
    caller.call(&policy, "ping", json!({})).await;
    caller.call(&policy, "acme/unknown", json!({})).await;
    caller.call(&policy, "tools/list", json!({})).await;
    let watched = json!({"notifications": {"resourceSubscriptions": ["file:///a", "file:///b/"]}});
    caller.call(&policy, "subscriptions/listen", watched).await;
    let read = json!({"uri": "https://h/x/?y"});
    caller.call(&policy, "resources/read", read).await;
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    caller.ask(&policy, raw(note)).await;
    caller
        .ask(&policy, raw(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#))
        .await;
    for method in ["GET", "DELETE"] {
        let request = Request::builder().method(method).uri("/mcp");
        caller
            .ask(&policy, request.body(Full::default()).unwrap())
            .await;
    }
    assert_eq!(
        *asked.lock().unwrap(),
        [
            "Request initialize -",
            "Request ping -",
            "Request acme/unknown -",
            "Request tools/list -",
            "Request subscriptions/listen -",
            "Request resources/subscribe file:///a",
            "Request resources/subscribe file:///b",
            "Request resources/read https://h/x",
            "Notification notifications/initialized -",
            "Response  -",
            "Stream  -",
            "EndSession  -",
        ]
    );
}

#[tokio::test]
async fn one_resource_of_a_stream_that_the_engine_forbids_refuses_the_stream() {
    let policy = Policy::builder().delegate().engine(
        engine(|question| match question.name() {
            Some("file:///b") => Ok(Answer::forbid()),
            _ => Ok(Answer::permit()),
        })
        .0,
    );
    let policy = built(policy);
    for (uris, status) in [
        (json!(["file:///a"]), 200),
        (json!(["file:///a", "file:///b"]), 403),
        (json!(["file:///b", "file:///a"]), 403),
        (json!(["file:///a/../b"]), 403),
    ] {
        let params = json!({"notifications": {"resourceSubscriptions": uris}});
        let caller = Caller::user(&[], &[]);
        let answer = caller.call(&policy, "subscriptions/listen", params).await;
        assert_eq!(answer.status().as_u16(), status);
    }
}

#[tokio::test]
async fn a_question_says_who_what_and_with_what() {
    let (scripted, asked) = engine(|question| {
        let mut roles: Vec<_> = question.roles().collect();
        roles.sort_unstable();
        assert_eq!(roles, ["developer", "viewer"]);
        assert!(question.principal().roles().eq(["developer", "unknown"]));
        assert_eq!(question.subject(), Some(Subject::Tool));
        assert_eq!(question.arguments(), Arguments::Json(r#"{"secret": 1}"#));
        assert_eq!(question.revision(), Some(Revision::V2025_06_18));
        assert!(!format!("{question:?}").contains("secret"));
        Ok(Answer::permit())
    });
    let policy = built(policy().engine(scripted));
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call",
        "params":{"name":"t","arguments":{"secret": 1}}}"#;
    let mut request = raw(body);
    let version = "2025-06-18".parse().unwrap();
    request
        .headers_mut()
        .insert("mcp-protocol-version", version);
    let caller = Caller::user(&["developer", "unknown"], &[]);
    let answer = caller.ask(&policy, request).await;
    assert_eq!(answer.status().as_u16(), 200, "{:?}", answer.findings);
    assert_eq!(asked.lock().unwrap().len(), 1);
}

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"},{"name":"b"},
    {"name":"error"},{"name":"a_scoped"},{"name":"b_scoped"},{"name":"panic"}]}}"#;

/// What of the list is shown.
async fn shown(layer: &RbacLayer) -> (Vec<String>, Vec<Finding>) {
    let mut request = post("tools/list", json!({}));
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    let viewer = Caller::user(&["viewer"], &[]).principal.unwrap();
    context.set_principal(viewer).unwrap();
    let service = layer.layer(service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        let answer = Response::builder().header("content-type", "application/json");
        Ok::<_, Infallible>(answer.body(Full::from(LIST)).unwrap())
    }));
    let answer = service.oneshot(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let names = body["result"]["tools"].as_array().into_iter().flatten();
    let names = names.map(|tool| tool["name"].as_str().unwrap().to_owned());
    (names.collect(), context.trail().unwrap().findings())
}

#[tokio::test]
async fn ta_2_lists_show_what_the_engine_permits_and_nothing_that_it_fails_for() {
    let decides: Decides = |question| match question.method() {
        "tools/call" => {
            assert_eq!(question.arguments(), Arguments::Any);
            by_name(question)
        }
        _ => Ok(Answer::permit()),
    };
    let policy = policy().engine(engine(decides).0);
    let (names, findings) = shown(&RbacLayer::new(built(policy))).await;
    assert_eq!(names, ["a", "a_scoped"]);
    let noted = findings.iter().filter(|f| f.verdict == Verdict::Noted);
    let noted: Vec<_> = noted.map(|f| (f.kind, &*f.reason)).collect();
    assert_eq!(
        noted,
        [
            ("engine_failed", "the engine failed for 2 elements"),
            ("list_filtered", "2 of 6 tools")
        ]
    );
}

#[tokio::test]
async fn an_engine_comes_and_goes_with_its_policy() {
    let open = || engine(|_| Ok(Answer::permit())).0;
    let closed = || engine(|_| Ok(Answer::forbid())).0;
    let handle = PolicyHandle::new(policy().engine(open()).build().unwrap());
    let layer = RbacLayer::with_handle(handle.clone());
    assert_eq!(shown(&layer).await.0.len(), 6);
    let lists = |question: &Question<'_>| match question.method() {
        "tools/list" => Ok(Answer::permit()),
        _ => Ok(Answer::forbid()),
    };
    handle.swap(policy().engine(engine(lists).0).build().unwrap());
    assert_eq!(shown(&layer).await.0.len(), 0);
    handle.swap(policy().engine(closed()).build().unwrap());
    let (names, findings) = shown(&layer).await;
    assert_eq!((names.len(), findings.len()), (0, 1));
    handle.swap(policy().build().unwrap());
    assert_eq!(shown(&layer).await.0.len(), 6);
}

#[tokio::test]
async fn a_policy_in_shadow_asks_its_own_engine() {
    let counting = built(policy());
    let shadow = built(policy().version("8").engine(engine(by_name).0));
    let layer = RbacLayer::new(counting).shadow(shadow);
    let mut request = post("tools/call", json!({"name": "b"}));
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    let viewer = Caller::user(&["viewer"], &[]).principal.unwrap();
    context.set_principal(viewer).unwrap();
    let service = layer.layer(service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let findings = context.trail().unwrap().findings();
    let differs = findings
        .iter()
        .find(|f| f.kind == "shadow_differs")
        .unwrap();
    assert_eq!(
        differs.reason,
        "admitted, policy `7`: rule `tool:*`; \
         in shadow forbidden, policy `8`: engine forbids by `no others`"
    );
}

#[tokio::test]
async fn operators_are_told_what_the_engine_decided_by() {
    let policy = built(policy().engine(engine(by_name).0));
    let layer = RbacLayer::new(policy)
        .decision_header("x-authz", "admin")
        .unwrap();
    for (tool, rule) in [
        ("a", "tool:*, engine:only a"),
        ("b", "engine:no others"),
        ("error", "engine"),
    ] {
        let mut request = post("tools/call", json!({"name": tool}));
        let context = SecurityContext::of(&mut request);
        let admin = Caller::user(&["admin"], &[]).principal.unwrap();
        context.set_principal(admin).unwrap();
        let service = layer.layer(service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
        let answer = service.oneshot(request).await.unwrap();
        let told = answer.headers()["x-authz"].to_str().unwrap();
        assert!(told.contains(&format!("rule=\"{rule}\"")), "{told}");
    }
}

#[test]
fn a_policy_has_one_engine_and_its_version_names_it() {
    let contents = Policy::enterprise().build().unwrap();
    let version = |version: &'static str| {
        let scripted = Scripted {
            version,
            ..engine(by_name).0
        };
        Policy::enterprise().engine(scripted).build()
    };
    let combined = version("cedar-1").unwrap();
    let expected = format!("{}+cedar-1", contents.version());
    assert_eq!(combined.version(), expected);
    assert_eq!(
        policy()
            .engine(engine(by_name).0)
            .build()
            .unwrap()
            .version(),
        "7"
    );
    for bad in ["", "a b", "a`b"] {
        let error = version(bad).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("engine version `{bad}`")),
            "{error}"
        );
    }
    let two = policy().engine(engine(by_name).0).engine(engine(by_name).0);
    let error = two.build().unwrap_err().to_string();
    assert!(error.contains("`scripted` is a second one"), "{error}");
}

#[test]
fn builders_are_equal_if_their_engine_is_one() {
    let one = policy().engine(engine(by_name).0);
    assert_eq!(one, one.clone());
    assert_ne!(one, policy().engine(engine(by_name).0));
    assert_ne!(one, policy());
    assert!(format!("{one:?}").contains("scripted"));
}

#[test]
fn all_is_left_to_an_engine_only_if_there_is_one() {
    let error = Policy::builder().delegate().build().unwrap_err();
    assert!(
        error.to_string().contains("would open everything"),
        "{error}"
    );
    let closed = engine(|_| Ok(Answer::forbid())).0;
    let policy = Policy::builder().delegate().engine(closed).build().unwrap();
    let ann = Caller::user(&["admin"], &[]).principal;
    for operation in [Operation::tool("x"), Operation::method("initialize")] {
        assert_eq!(policy.decide(ann.as_ref(), &operation), Decision::Forbidden);
        assert_eq!(policy.decide(None, &operation), Decision::Forbidden);
    }
    // A rule narrows what the engine would permit.
    let open = engine(|_| Ok(Answer::permit())).0;
    let narrowed = Policy::enterprise().delegate().engine(open);
    let narrowed = narrowed
        .rule(Rule::tool("delete_*").role("admin"))
        .build()
        .unwrap();
    let bob = Caller::user(&["viewer"], &[]).principal;
    for (tool, expected) in [("delete_x", Decision::Forbidden), ("x", Decision::Admitted)] {
        assert_eq!(
            narrowed.decide(bob.as_ref(), &Operation::tool(tool)),
            expected
        );
    }
}

#[cfg(feature = "files")]
#[test]
fn a_policy_that_is_read_again_keeps_the_engine() {
    use bartizan_rbac::RbacConfig;
    let text =
        "version = '1'\npreset = 'enterprise'\n[[rules]]\ntool = '*'\nany_role = ['viewer']\n";
    let config = RbacConfig::from_toml(text).unwrap();
    let policy = config.policy().unwrap().engine(engine(by_name).0).build();
    let handle = PolicyHandle::new(policy.unwrap());
    handle.reload_toml(&text.replace("'1'", "'2'")).unwrap();
    let policy = handle.policy();
    assert_eq!(policy.version(), "2");
    let viewer = Caller::user(&["viewer"], &[]).principal;
    let decide = |tool| policy.decide(viewer.as_ref(), &Operation::tool(tool));
    assert_eq!(decide("a"), Decision::Admitted);
    assert_eq!(decide("b"), Decision::Forbidden);
}
