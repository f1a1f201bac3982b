use std::convert::Infallible;

use bartizan_core::{Finding, RequestBody, SecurityContext, Verdict};
use bartizan_rbac::{Policy, PolicyHandle, RbacLayer, Rule};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use crate::common::{Caller, notes, post};

pub(crate) struct Asked {
    status: u16,
    pub(crate) header: Option<String>,
    id: String,
    pub(crate) findings: Vec<Finding>,
}

/// What the service inside says by the header's name.
const INNER: &str = "version=\"forged\"";

pub(crate) async fn ask(layer: &RbacLayer, caller: &Caller, tool: &str) -> Asked {
    let mut request = post("tools/call", json!({"name": tool}));
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    if let Some(principal) = caller.principal.clone() {
        context.set_principal(principal).unwrap();
    }
    let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        let response = Response::builder().header("x-authz-decision", INNER);
        Ok::<_, Infallible>(response.body(Full::<Bytes>::default()).unwrap())
    });
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    let header = response.headers().get("x-authz-decision");
    Asked {
        status: response.status().as_u16(),
        header: header.map(|value| value.to_str().unwrap().to_owned()),
        id: context.correlation_id().as_str().to_owned(),
        findings: context.trail().unwrap().findings(),
    }
}

#[tokio::test]
async fn operators_are_told_by_what_an_answer_was_decided_and_nobody_else() {
    let layer = RbacLayer::new(notes());
    let telling = layer
        .clone()
        .decision_header("x-authz-decision", "developer")
        .unwrap();
    let developer = Caller::user(&["developer"], &[]);
    let admin = Caller::user(&["admin"], &[]);
    for (caller, tool, status, rule) in [
        (&developer, "read_note", 200, "tool:*_note"),
        (&developer, "delete_note", 403, "tool:delete_*"),
        (&admin, "delete_note", 200, "tool:delete_*, tool:*_note"),
        (&admin, "edit_note", 403, "tool:edit_note"),
        (&admin, "unknown", 403, ""),
    ] {
        let asked = ask(&telling, caller, tool).await;
        let mut header = asked.header.unwrap();
        // In which order an index finds them is its own.
        if header.contains(", ") {
            header = header.replace("tool:*_note, tool:delete_*", "tool:delete_*, tool:*_note");
        }
        let expected = format!("version=\"test\"; rule=\"{rule}\"; id=\"{}\"", asked.id);
        assert_eq!((asked.status, header), (status, expected));
        let inner = (status == 200).then_some(INNER);
        assert_eq!(ask(&layer, caller, tool).await.header.as_deref(), inner);
    }
    for caller in [
        Caller::user(&["viewer"], &[]),
        Caller::anonymous(),
        Caller::default(),
    ] {
        for tool in ["read_note", "delete_note", "status"] {
            assert_eq!(ask(&telling, &caller, tool).await.header, None);
        }
    }
}

#[test]
fn a_decision_header_that_means_something_else_or_is_for_nobody_does_not_build() {
    for (name, role, named) in [
        ("content-type", "admin", "`content-type`"),
        ("x y", "admin", "`x y`"),
        ("x-authz-decision", "admn", "`admn`"),
    ] {
        let error = RbacLayer::new(notes())
            .decision_header(name, role)
            .unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[tokio::test]
async fn no_name_of_a_rule_breaks_the_header() {
    let rule = Rule::tool("x").role("admin").named("é\"; id=\"forged\\");
    let policy = Policy::enterprise()
        .rule(rule)
        .version("1")
        .build()
        .unwrap();
    let layer = RbacLayer::new(policy)
        .decision_header("x-authz-decision", "admin")
        .unwrap();
    let header = ask(&layer, &Caller::user(&["admin"], &[]), "x")
        .await
        .header
        .unwrap();
    assert!(
        header.starts_with("version=\"1\"; rule=\"?'; id='forged'\"; id=\""),
        "{header}"
    );
}

#[tokio::test]
async fn where_the_policy_in_shadow_differs_is_recorded_and_no_answer_changes() {
    let next = Policy::enterprise()
        .version("next")
        .rule(Rule::tool("*_note").role("admin"))
        .rule(Rule::tool("unknown").identified())
        .build()
        .unwrap();
    let shadow = PolicyHandle::new(next);
    let plain = RbacLayer::new(notes());
    let layer = plain.clone().shadow(shadow.clone());
    let viewer = Caller::user(&["viewer"], &[]);
    for (caller, tool, noted) in [
        (
            &viewer,
            "read_note",
            Some(
                "admitted, policy `test`: rule `tool:*_note`; in shadow forbidden, policy `next`: rule `tool:*_note` lacks role `admin`",
            ),
        ),
        (
            &viewer,
            "unknown",
            Some(
                "forbidden, policy `test`: no rule covers `tools/call` of `unknown`; in shadow admitted, policy `next`: rule `tool:unknown`",
            ),
        ),
        (&viewer, "delete_note", None),
        (&Caller::default(), "unknown", None),
    ] {
        let (asked, without) = (
            ask(&layer, caller, tool).await,
            ask(&plain, caller, tool).await,
        );
        assert_eq!(asked.status, without.status);
        let (noted_of_it, decided): (Vec<_>, Vec<_>) = asked
            .findings
            .into_iter()
            .partition(|finding| finding.verdict == Verdict::Noted);
        assert_eq!(decided, without.findings);
        let reasons: Vec<_> = noted_of_it
            .iter()
            .map(|finding| (finding.kind, &*finding.reason))
            .collect();
        let expected: Vec<_> = noted
            .map(|noted| ("shadow_differs", noted))
            .into_iter()
            .collect();
        assert_eq!(reasons, expected);
    }
    shadow.swap(notes());
    assert_eq!(ask(&layer, &viewer, "read_note").await.findings.len(), 1);
}

#[tokio::test]
async fn seed_u14_what_was_decided_is_left_for_the_record() {
    let layer = RbacLayer::new(notes());
    let asked = |caller: Caller, method: &'static str, params: serde_json::Value| {
        let mut request = post(method, params);
        let context = SecurityContext::of(&mut request);
        context.open_trail();
        if let Some(principal) = caller.principal {
            context.set_principal(principal).unwrap();
        }
        let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let answer = layer.clone().layer(inner).oneshot(request);
        async move {
            answer.await.unwrap();
            context.decided().unwrap().clone()
        }
    };
    let viewer = || Caller::user(&["viewer"], &["notes.admin"]);
    let decided = asked(viewer(), "tools/call", json!({"name": "edit_note"})).await;
    assert_eq!(
        (decided.outcome_name(), decided.policy()),
        ("admitted", "test")
    );
    let rules: Vec<_> = decided.rules().collect();
    assert_eq!(rules, ["tool:edit_note", "tool:*_note"]);
    assert!(!decided.is_unclear());

    // Who cannot be told to identify is told that it may not; what was decided is another thing.
    let nobody = Caller {
        challenges: Vec::new(),
        ..Caller::anonymous()
    };
    let decided = asked(nobody, "tools/call", json!({"name": "whoami"})).await;
    assert_eq!(decided.outcome_name(), "credentials_missing");

    let decided = asked(viewer(), "ping", json!({})).await;
    assert_eq!(decided.baseline_name(), Some("lifecycle"));

    let decided = asked(viewer(), "resources/read", json!({"uri": "x://h/a#b"})).await;
    assert!(decided.is_unclear());
    let listened = json!({"notifications": {"resourceSubscriptions": ["x://h/a", "x://h//b"]}});
    let decided = asked(viewer(), "subscriptions/listen", listened).await;
    assert_eq!((decided.operation_count(), decided.is_unclear()), (3, true));
}
