//! Calls that a second principal has to approve.

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bartizan_core::{
    CredentialLimits, DenialKind, Events, FakeClock, Finding, Principal, RequestBody,
    SecurityContext, Verdict,
};
use bartizan_rbac::{
    ApprovalError, ApprovalId, Approvals, ApprovalsBuilder, Decision, Grant, Grants, Operation,
    Policy, PolicyHandle, RbacLayer, Rule,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::common::{post, raw};

pub(crate) const I: &str = "https://auth.example.com";
const START: Duration = Duration::from_secs(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn policy() -> Policy {
    let policy = Policy::builder()
        .version("test")
        .role("admin", ["viewer"])
        .role("viewer", [])
        .role("guard", [])
        .grant("guard", ["approvals:give"])
        .rule(Rule::tool("*_note").role("viewer"))
        .rule(Rule::tool("delete_*").role("admin").approval())
        .rule(Rule::tool("wipe").role("admin").approver_role("guard"))
        .rule(
            Rule::tool("sweep")
                .role("admin")
                .approver_capability("approvals:give"),
        )
        .rule(
            Rule::tool("delete_scoped")
                .scope("notes.write")
                .identified(),
        )
        .rule(Rule::method("notifications/wipe").role("admin").approval());
    policy.build().unwrap()
}

/// A layer with approvals by a clock that is told to move, and what it told of.
pub(crate) struct Stage {
    pub(crate) clock: FakeClock,
    pub(crate) approvals: Approvals,
    pub(crate) layer: RbacLayer,
    pub(crate) events: Arc<Mutex<Vec<String>>>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) challenges: usize,
    pub(crate) findings: Vec<Finding>,
}

impl Answer {
    /// Of an answer that waits.
    pub(crate) fn id(&self) -> ApprovalId {
        assert_eq!(self.status, 403, "{}", self.body);
        assert_eq!(self.body["error"]["message"], "approval needed");
        let id = self.body["error"]["data"]["approval"]["id"].as_str();
        ApprovalId::parse(id.unwrap()).unwrap()
    }

    fn reason(&self) -> &str {
        assert_eq!(self.findings.len(), 1, "{:?}", self.findings);
        &self.findings[0].reason
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::of(Approvals::builder())
    }

    pub(crate) fn of(builder: ApprovalsBuilder) -> Self {
        let clock = FakeClock::at(START);
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let builder = builder
            .clock(clock.clone())
            .events(Events::to(move |event| {
                heard
                    .lock()
                    .unwrap()
                    .push(format!("{} {}", event.kind, event.detail));
            }));
        let approvals = builder.build().unwrap();
        let layer = RbacLayer::new(policy())
            .approvals(approvals.clone())
            .unwrap();
        Self {
            clock,
            approvals,
            layer,
            events,
        }
    }

    pub(crate) async fn ask(&self, who: &Principal, tool: &str) -> Answer {
        self.send(
            who,
            post("tools/call", json!({"name": tool, "arguments": {"id": 7}})),
        )
        .await
    }

    pub(crate) async fn send(&self, who: &Principal, request: Request<Full<Bytes>>) -> Answer {
        send(&self.layer, who, request).await
    }
}

pub(crate) async fn send(
    layer: &RbacLayer,
    who: &Principal,
    mut request: Request<Full<Bytes>>,
) -> Answer {
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    context.set_principal(who.clone()).unwrap();
    let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let answer = layer.layer(inner).oneshot(request).await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    Answer {
        status,
        challenges: headers.get_all("www-authenticate").iter().count(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        findings: context.trail().unwrap().findings(),
    }
}

pub(crate) fn user(subject: &str, roles: &[&str]) -> Principal {
    let user = Principal::user(I, subject).client_id("agent").roles(roles);
    user.build("jwt")
}

pub(crate) fn ann() -> Principal {
    user("ann", &["admin"])
}

pub(crate) fn bob() -> Principal {
    user("bob", &["admin"])
}

#[tokio::test]
async fn sc_5_a_call_waits_for_approval_passes_once_and_then_waits_anew() {
    let stage = Stage::new();
    let first = stage.ask(&ann(), "delete_note").await;
    let id = first.id();
    assert_eq!(first.challenges, 0);
    assert_eq!(first.body["error"]["code"], 403);
    assert_eq!(first.body["error"]["data"]["approval"]["expires_in"], 600);
    assert_eq!(first.findings[0].kind, "approval_needed");
    stage.clock.advance(MINUTE);
    let again = stage.ask(&ann(), "delete_note").await;
    assert_eq!(again.id(), id, "the same call, the same approval");
    assert_eq!(again.body["error"]["data"]["approval"]["expires_in"], 540);

    stage.approvals.approve(id, &bob()).unwrap();
    let passed = stage.ask(&ann(), "delete_note").await;
    assert_eq!(passed.status, 200);
    let third = stage.ask(&ann(), "delete_note").await;
    assert_ne!(third.id(), id);
}

#[tokio::test]
async fn al_3_records_name_the_approval_and_who_gave_it() {
    let stage = Stage::new();
    let waits = stage.ask(&ann(), "delete_note").await;
    let id = waits.id();
    let expected =
        format!("policy `test`: rule `tool:delete_*` lacks approval; approval `{id}` is pending");
    assert_eq!(waits.reason(), expected);
    stage.approvals.approve(id, &bob()).unwrap();
    let passed = stage.ask(&ann(), "delete_note").await;
    assert_eq!(passed.findings[0].verdict, Verdict::Allowed);
    let expected = format!(
        "policy `test`: rule `tool:delete_*`, rule `tool:*_note`; by approval `{id}` of `bob of {I}`"
    );
    assert_eq!(passed.reason(), expected);
    let of = format!("approval `{id}`: `tools/call` of `delete_note` by `ann of {I}`");
    assert_eq!(
        *stage.events.lock().unwrap(),
        [
            format!("approval_pending {of} waits for approval"),
            format!("approval_given {of}, approved by `bob of {I}`"),
            format!("approval_used {of}, approved by `bob of {I}`"),
        ]
    );
}

#[tokio::test]
async fn whoever_is_refused_anyway_asks_nobody_for_approval() {
    let stage = Stage::new();
    for (who, tool, kind) in [
        (user("ann", &["viewer"]), "delete_note", "forbidden"),
        (user("ann", &["viewer"]), "wipe", "forbidden"),
        (user("ann", &["admin"]), "unknown", "forbidden"),
        (
            user("ann", &["admin"]),
            "delete_scoped",
            "scope_insufficient",
        ),
        (Principal::anonymous(), "delete_note", "forbidden"),
    ] {
        let answer = stage.ask(&who, tool).await;
        assert_eq!(answer.findings[0].kind, kind, "{tool}");
        assert!(
            answer.body["error"].get("data").is_none(),
            "{}",
            answer.body
        );
    }
    assert!(stage.approvals.pending().is_empty());
}

#[tokio::test]
async fn who_lost_a_role_meanwhile_uses_no_approval_up() {
    let stage = Stage::new();
    let id = stage.ask(&ann(), "delete_note").await.id();
    stage.approvals.approve(id, &bob()).unwrap();
    let demoted = stage.ask(&user("ann", &["viewer"]), "delete_note").await;
    assert_eq!(demoted.findings[0].kind, "forbidden");
    assert_eq!(stage.ask(&ann(), "delete_note").await.status, 200);
}

#[tokio::test]
async fn nobody_approves_what_is_their_own_or_what_the_policy_does_not_let_them() {
    let stage = Stage::new();
    let id = stage.ask(&ann(), "delete_note").await.id();
    let wipe = stage.ask(&ann(), "wipe").await.id();
    let sweep = stage.ask(&ann(), "sweep").await.id();
    let ann_elsewhere = Principal::user(I, "ann")
        .client_id("console")
        .roles(["admin", "guard"]);
    let ann_as_program = Principal::service(I, "ann").roles(["admin", "guard"]);
    let tenant = Principal::user(I, "bob")
        .tenant("acme")
        .roles(["admin", "guard"]);
    let limits = CredentialLimits::new().with_tools(["*_draft"]).unwrap();
    let limited = Principal::user(I, "bob")
        .limits(limits)
        .roles(["admin", "guard"]);
    use ApprovalError::{Anonymous, NotEntitled, Own};
    for (approver, of, error) in [
        (ann(), id, Own),
        (ann_elsewhere.clone().build("mtls"), id, Own),
        (ann_elsewhere.build("mtls"), wipe, Own),
        (ann_as_program.build("mtls"), id, Own),
        (Principal::anonymous(), id, Anonymous),
        (user("bob", &["viewer"]), id, NotEntitled),
        (user("bob", &[]), id, NotEntitled),
        (user("bob", &["guard"]), id, NotEntitled),
        (user("bob", &["admin"]), wipe, NotEntitled),
        (user("bob", &["Guard"]), wipe, NotEntitled),
        (user("bob", &["admin"]), sweep, NotEntitled),
        (tenant.clone().build("jwt"), id, NotEntitled),
        (limited.clone().build("apikey"), id, NotEntitled),
        (limited.build("apikey"), wipe, NotEntitled),
        (tenant.build("jwt"), wipe, NotEntitled),
    ] {
        assert_eq!(
            stage.approvals.approve(of, &approver),
            Err(error),
            "{approver:?}"
        );
        assert_eq!(
            stage.approvals.deny(of, &approver),
            Err(error),
            "{approver:?}"
        );
        let seen = stage.approvals.pending_for(&approver);
        assert!(seen.iter().all(|pending| pending.id != of), "{approver:?}");
    }
    assert_eq!(stage.ask(&ann(), "delete_note").await.id(), id);
    let guard = user("bob", &["guard"]);
    let shown: HashSet<_> = stage
        .approvals
        .pending_for(&guard)
        .iter()
        .map(|p| p.id)
        .collect();
    assert_eq!(shown, HashSet::from([wipe, sweep]));
    stage.approvals.approve(wipe, &guard).unwrap();
    stage.approvals.approve(sweep, &guard).unwrap();
    assert_eq!(stage.ask(&ann(), "wipe").await.status, 200);
    assert_eq!(stage.ask(&ann(), "sweep").await.status, 200);
    let unknown = ApprovalId::parse(&"0".repeat(32)).unwrap();
    assert_eq!(
        stage.approvals.approve(unknown, &bob()),
        Err(ApprovalError::Unknown)
    );
}

#[tokio::test]
async fn a_credential_that_grants_the_capability_itself_approves() {
    let stage = Stage::new();
    let sweep = stage.ask(&ann(), "sweep").await.id();
    let with = |grant: &str| {
        Principal::service(I, "bot")
            .capabilities([grant])
            .build("apikey")
    };
    assert_eq!(
        stage.approvals.approve(sweep, &with("approvals:see")),
        Err(ApprovalError::NotEntitled)
    );
    stage
        .approvals
        .approve(sweep, &with("approvals:*"))
        .unwrap();
}

#[tokio::test]
async fn an_approver_needs_the_scope_that_the_application_says() {
    let stage = Stage::of(Approvals::builder().approver_scope("approve"));
    let id = stage.ask(&ann(), "delete_note").await.id();
    assert_eq!(
        stage.approvals.approve(id, &bob()),
        Err(ApprovalError::NotEntitled)
    );
    let bob = Principal::user(I, "bob")
        .roles(["admin"])
        .scopes(["approve"])
        .build("jwt");
    stage.approvals.approve(id, &bob).unwrap();
}

#[tokio::test]
async fn a_denial_is_told_and_holds_so_that_nobody_is_asked_over_and_over() {
    let stage = Stage::new();
    let id = stage.ask(&ann(), "delete_note").await.id();
    stage.approvals.deny(id, &bob()).unwrap();
    assert_eq!(
        stage.approvals.approve(id, &bob()),
        Err(ApprovalError::Decided)
    );
    stage.clock.advance(9 * MINUTE);
    let denied = stage.ask(&ann(), "delete_note").await;
    assert_eq!((denied.status, denied.challenges), (403, 0));
    assert_eq!(denied.body["error"]["message"], "approval denied");
    assert_eq!(
        denied.body["error"]["data"],
        json!({"approval": {"id": id.to_string(), "expires_in": 60}})
    );
    stage.clock.advance(MINUTE);
    assert_ne!(stage.ask(&ann(), "delete_note").await.id(), id);
    let events = stage.events.lock().unwrap().join("\n");
    assert!(
        events.contains(&format!("approval_denied approval `{id}`")),
        "{events}"
    );
    assert!(
        events.contains(&format!("approval_expired approval `{id}`")),
        "{events}"
    );
}

#[tokio::test]
async fn what_nobody_decides_and_what_nobody_uses_expires_whatever_the_wall_clock_says() {
    let stage = Stage::new();
    let pending = stage.ask(&ann(), "delete_note").await.id();
    stage.clock.step_wall_to(START - 60 * MINUTE);
    stage.clock.advance(10 * MINUTE);
    assert!(stage.approvals.pending().is_empty());
    assert_eq!(
        stage.approvals.approve(pending, &bob()),
        Err(ApprovalError::Unknown)
    );
    let approved = stage.ask(&ann(), "delete_note").await.id();
    assert_ne!(approved, pending);
    stage.approvals.approve(approved, &bob()).unwrap();
    stage.clock.advance(5 * MINUTE);
    assert_ne!(stage.ask(&ann(), "delete_note").await.id(), approved);
}

#[tokio::test]
async fn an_approval_that_was_given_late_can_be_used_for_its_whole_time() {
    let stage = Stage::new();
    let id = stage.ask(&ann(), "delete_note").await.id();
    stage.clock.advance(9 * MINUTE);
    stage.approvals.approve(id, &bob()).unwrap();
    stage.clock.advance(5 * MINUTE - Duration::from_secs(1));
    assert_eq!(stage.ask(&ann(), "delete_note").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_that_come_at_once_exactly_one_passes() {
    for _ in 0..20 {
        let stage = Arc::new(Stage::new());
        let id = stage.ask(&ann(), "delete_note").await.id();
        stage.approvals.approve(id, &bob()).unwrap();
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let stage = Arc::clone(&stage);
                tokio::spawn(async move { stage.ask(&ann(), "delete_note").await })
            })
            .collect();
        let mut passed = 0;
        let mut waiting = HashSet::new();
        for task in tasks {
            let answer = task.await.unwrap();
            if answer.status == 200 {
                passed += 1;
            } else {
                waiting.insert(answer.id());
            }
        }
        assert_eq!(passed, 1);
        assert_eq!(waiting.len(), 1, "they wait for one approval");
        assert!(!waiting.contains(&id));
    }
}

#[tokio::test]
async fn an_account_has_a_share_and_crowds_nobody_out() {
    let stage = Stage::of(Approvals::builder().room(5).share(2));
    let ask = async |who: &Principal, n: usize| {
        let params = json!({"name": "delete_note", "arguments": {"id": n}});
        stage.send(who, post("tools/call", params)).await
    };
    let mallory = |client: &str| {
        Principal::user(I, "mallory")
            .client_id(client)
            .roles(["admin"])
            .build("jwt")
    };
    let first = ask(&mallory("a"), 1).await.id();
    ask(&mallory("b"), 2).await.id();
    let refused = ask(&mallory("c"), 3).await;
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.body["error"]["message"],
        "too many calls wait for approval"
    );
    assert_eq!(
        ask(&mallory("a"), 1).await.id(),
        first,
        "what waits goes on to"
    );
    let mine = ask(&ann(), 1).await.id();
    ask(&bob(), 1).await.id();
    ask(&bob(), 2).await.id();
    let zoe = user("zoe", &["admin"]);
    assert_eq!(ask(&zoe, 1).await.status, 429, "full");
    assert_eq!(
        ask(&ann(), 1).await.id(),
        mine,
        "and nothing was dropped for it"
    );
    stage.clock.advance(10 * MINUTE);
    ask(&zoe, 1).await.id();
}

#[tokio::test]
async fn a_call_that_is_too_large_to_be_shown_is_refused() {
    let stage = Stage::of(Approvals::builder().call_bytes(200));
    let params = json!({"name": "delete_note", "arguments": {"x": "x".repeat(200)}});
    let answer = stage.send(&ann(), post("tools/call", params)).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.body["error"]["message"],
        "the call is too large to be approved"
    );
    assert!(stage.approvals.pending().is_empty());
}

#[tokio::test]
async fn what_is_no_request_waits_for_nothing() {
    let stage = Stage::new();
    let body = r#"{"jsonrpc":"2.0","method":"notifications/wipe"}"#;
    let answer = stage.send(&ann(), raw(body)).await;
    assert_eq!((answer.status, answer.findings[0].kind), (403, "forbidden"));
    assert!(stage.approvals.pending().is_empty());
}

#[tokio::test]
async fn a_layer_without_approvals_never_satisfies_the_need_and_says_so() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    let told = Events::to(move |event| heard.lock().unwrap().push(event.kind));
    let layer = RbacLayer::with_handle(PolicyHandle::with_events(policy(), told));
    let answer = send(
        &layer,
        &ann(),
        post("tools/call", json!({"name": "delete_note"})),
    )
    .await;
    assert_eq!((answer.status, answer.findings[0].kind), (403, "forbidden"));
    assert!(
        answer.reason().ends_with("; the layer has no approvals"),
        "{}",
        answer.reason()
    );
    send(&layer, &ann(), post("ping", json!({}))).await;
    assert_eq!(*events.lock().unwrap(), ["approvals_missing"], "once");
    assert!(policy().needs_approvals());
    let decision = policy().decide(Some(&ann()), &Operation::tool("delete_note"));
    assert_eq!(
        (decision, decision.name()),
        (Decision::ApprovalNeeded, "approval_needed")
    );
    assert!(!decision.is_admitted());
}

#[tokio::test]
async fn two_layers_of_one_handle_use_one_approval_and_a_layer_elsewhere_does_not_take_it() {
    let stage = Stage::new();
    let inner = RbacLayer::with_handle(stage.layer.handle());
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    let service = service_fn(move |_: Request<RequestBody<RequestBody<Full<Bytes>>>>| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let both = stage.layer.layer(inner.layer(service));
    let call = || {
        let params = json!({"name": "delete_note", "arguments": {"id": 7}});
        let mut request = post("tools/call", params);
        SecurityContext::of(&mut request)
            .set_principal(ann())
            .unwrap();
        request
    };
    assert_eq!(both.clone().oneshot(call()).await.unwrap().status(), 403);
    let id = stage.approvals.pending()[0].id;
    stage.approvals.approve(id, &bob()).unwrap();
    let elsewhere = send(&inner, &ann(), call()).await;
    assert_ne!(
        elsewhere.id(),
        id,
        "another layer may stand before another server"
    );
    for status in [200, 403] {
        assert_eq!(both.clone().oneshot(call()).await.unwrap().status(), status);
    }
    assert_eq!(reached.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn approvals_belong_to_one_handle_and_a_handle_has_one() {
    let stage = Stage::new();
    let other = RbacLayer::new(policy());
    let error = other
        .approvals(stage.approvals.clone())
        .unwrap_err()
        .to_string();
    assert!(error.contains("another policy handle"), "{error}");
    let same = RbacLayer::with_handle(stage.layer.handle());
    assert!(same.clone().approvals(stage.approvals.clone()).is_ok());
    assert!(same.approvals(Approvals::new()).is_err());
}

#[tokio::test]
async fn a_policy_that_is_swapped_in_decides_who_approves_also_of_what_was_approved() {
    let stage = Stage::new();
    let id = stage.ask(&ann(), "delete_note").await.id();
    stage.approvals.approve(id, &bob()).unwrap();
    let stricter = Policy::builder().role("admin", []).role("guard", []);
    let stricter = stricter.rule(Rule::tool("delete_*").role("admin").approver_role("guard"));
    stage.layer.handle().swap(stricter.build().unwrap());
    let again = stage.ask(&ann(), "delete_note").await.id();
    assert_ne!(again, id);
    assert_eq!(
        stage.approvals.approve(again, &bob()),
        Err(ApprovalError::NotEntitled)
    );
    stage
        .approvals
        .approve(again, &user("cleo", &["guard"]))
        .unwrap();
    assert_eq!(stage.ask(&ann(), "delete_note").await.status, 200);
}

#[tokio::test]
async fn a_granted_role_approves_and_is_approved_while_it_lasts() {
    let stage = Stage::new();
    let grants = Grants::builder()
        .clock(stage.clock.clone())
        .build()
        .unwrap();
    let layer = stage.layer.clone().grants(grants.clone()).unwrap();
    let id = stage.ask(&ann(), "wipe").await.id();
    let cleo = user("cleo", &[]);
    assert_eq!(
        stage.approvals.approve(id, &cleo),
        Err(ApprovalError::NotEntitled)
    );
    let grant = Grant::to(I, "cleo")
        .roles(["guard"])
        .lasting(MINUTE)
        .by("desk");
    grants.give(grant).unwrap();
    stage.approvals.approve(id, &cleo).unwrap();
    // Who approved may not any more.
    stage.clock.advance(MINUTE);
    let call = || {
        post(
            "tools/call",
            json!({"name": "wipe", "arguments": {"id": 7}}),
        )
    };
    assert_ne!(send(&layer, &ann(), call()).await.id(), id);
}

#[tokio::test]
async fn a_shadow_uses_nothing_up() {
    let stage = Stage::new();
    let layer = stage.layer.clone().shadow(PolicyHandle::new(policy()));
    let call = || post("tools/call", json!({"name": "delete_note"}));
    let id = send(&layer, &ann(), call()).await.id();
    stage.approvals.approve(id, &bob()).unwrap();
    let passed = send(&layer, &ann(), call()).await;
    assert_eq!(
        (passed.status, passed.findings.len()),
        (200, 1),
        "nothing differs"
    );
    let open = Policy::builder().role("admin", []);
    let open = open
        .rule(Rule::tool("delete_*").role("admin"))
        .build()
        .unwrap();
    let layer = stage.layer.clone().shadow(open);
    let waits = send(&layer, &ann(), call()).await;
    let noted = &waits.findings[0].reason;
    assert!(noted.starts_with("approval_needed, "), "{noted}");
    assert!(noted.contains("in shadow admitted"), "{noted}");
}

#[tokio::test]
async fn ta_2_a_list_shows_what_approval_can_be_had_for() {
    let stage = Stage::new();
    let mut request = post("tools/list", json!({}));
    SecurityContext::of(&mut request)
        .set_principal(ann())
        .unwrap();
    let list = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"wipe"},{"name":"other"}]}}"#;
    let inner = service_fn(move |_: Request<RequestBody<Full<Bytes>>>| async move {
        let answer = Response::builder().header("content-type", "application/json");
        Ok::<_, Infallible>(answer.body(Full::<Bytes>::from(list)).unwrap())
    });
    let answer = stage.layer.layer(inner).oneshot(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.contains("wipe") && !text.contains("other"), "{text}");
}

#[tokio::test]
async fn operators_are_told_the_rules_of_what_waits_and_of_what_was_approved() {
    let stage = Stage::new();
    let layer = stage
        .layer
        .clone()
        .decision_header("x-authz", "admin")
        .unwrap();
    let ask = async || {
        let mut request = post("tools/call", json!({"name": "delete_note"}));
        SecurityContext::of(&mut request)
            .set_principal(ann())
            .unwrap();
        let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let answer = layer.layer(inner).oneshot(request).await.unwrap();
        answer.headers()["x-authz"].to_str().unwrap().to_owned()
    };
    assert!(ask().await.contains(r#"rule="tool:delete_*";"#));
    stage
        .approvals
        .approve(stage.approvals.pending()[0].id, &bob())
        .unwrap();
    assert!(
        ask()
            .await
            .contains(r#"rule="tool:delete_*, tool:*_note";"#)
    );
}

#[test]
fn rules_and_bounds_with_a_mistake_do_not_build() {
    let build = |rule: Rule| {
        let policy = Policy::builder()
            .role("admin", [])
            .role("b", [])
            .capability("x");
        policy.rule(rule).build().unwrap_err().to_string()
    };
    let tool = || Rule::tool("t").role("admin");
    for (rule, named) in [
        (Rule::tool("t").deny().approval(), "denies"),
        (Rule::tool("t").anyone().approval(), "anyone"),
        (tool().approver_role("admn"), "`admn`"),
        (tool().approver_capability("y"), "`y`"),
        (tool().approver_capability("x"), "granted by no role"),
        (Rule::stream().approval(), "`stream`"),
        (Rule::end_session().approval(), "`end_session`"),
        (Rule::response().approver_role("b"), "`response`"),
    ] {
        let error = build(rule);
        assert!(error.contains(named), "{error}");
    }
    let second = Duration::from_secs(1);
    for (builder, named) in [
        (Approvals::builder().wait(Duration::ZERO), "wait"),
        (Approvals::builder().wait(86_401 * second), "wait"),
        (
            Approvals::builder().good_for(Duration::from_millis(999)),
            "good for",
        ),
        (Approvals::builder().good_for(3601 * second), "good for"),
        (Approvals::builder().room(0), "room"),
        (Approvals::builder().room(65_537), "room"),
        (Approvals::builder().share(0), "share"),
        (Approvals::builder().share(257), "share"),
        (Approvals::builder().call_bytes(0), "call bytes"),
        (Approvals::builder().approver_scope(""), "approver scope"),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    assert_eq!(
        policy().decide(Some(&ann()), &Operation::tool("delete_scoped")),
        Decision::ScopeInsufficient
    );
    assert_ne!(
        DenialKind::ApprovalNeeded.name(),
        DenialKind::Forbidden.name()
    );
}
