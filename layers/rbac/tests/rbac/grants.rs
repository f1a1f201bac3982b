//! Roles that are granted for a time.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan_core::{
    Clock, Events, FakeClock, Finding, Principal, RequestBody, SecurityContext, Verdict,
};
use bartizan_kit::Frames;
use bartizan_rbac::{
    Grant, GrantError, Grants, GrantsBuilder, Policy, PolicyHandle, RbacLayer, Rule,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use crate::common::post;

const I: &str = "https://auth.example.com";
const START: Duration = Duration::from_secs(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);

fn policy() -> Arc<Policy> {
    let policy = Policy::builder()
        .version("test")
        .role("oncall", ["reader"])
        .role("reader", [])
        .role("desk", [])
        .grant("oncall", ["pager:silence"])
        .rule(Rule::tool("restart").role("oncall"))
        .rule(Rule::tool("read").role("reader"))
        .rule(Rule::tool("scoped").role("oncall").scope("ops"))
        .rule(Rule::tool("wipe").role("oncall"))
        .rule(Rule::tool("wi*").deny());
    Arc::new(policy.build().unwrap())
}

/// A layer with grants by a clock that is told to move.
struct Stage {
    clock: FakeClock,
    grants: Grants,
    layer: RbacLayer,
}

impl Stage {
    fn new() -> Self {
        Self::of(Grants::builder())
    }

    fn of(builder: GrantsBuilder) -> Self {
        let clock = FakeClock::at(START);
        let grants = builder.clock(clock.clone()).build().unwrap();
        let layer = RbacLayer::new(policy()).grants(grants.clone()).unwrap();
        Self {
            clock,
            grants,
            layer,
        }
    }

    async fn ask(&self, who: &Principal, tool: &str) -> (StatusCode, Finding) {
        ask(&self.layer, who, tool).await
    }

    async fn admits(&self, who: &Principal, tool: &str) -> bool {
        self.ask(who, tool).await.0 == 200
    }
}

async fn ask(layer: &RbacLayer, who: &Principal, tool: &str) -> (StatusCode, Finding) {
    let mut request = post("tools/call", json!({"name": tool}));
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    context.set_principal(who.clone()).unwrap();
    let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let answer = layer.layer(inner).oneshot(request).await.unwrap();
    let findings = context.trail().unwrap().findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    (answer.status(), findings[0].clone())
}

fn ann() -> Principal {
    Principal::user(I, "ann").client_id("agent").build("jwt")
}

fn oncall(minutes: u32) -> Grant {
    let grant = Grant::to(I, "ann").roles(["oncall"]).by("the desk");
    grant.lasting(minutes * MINUTE)
}

#[tokio::test]
async fn a_granted_role_counts_with_all_that_it_includes_and_not_a_moment_longer_than_its_end() {
    let stage = Stage::new();
    assert!(!stage.admits(&ann(), "restart").await);
    stage.grants.give(oncall(10)).unwrap();
    assert!(stage.admits(&ann(), "restart").await);
    assert!(stage.admits(&ann(), "read").await);
    stage.clock.advance(10 * MINUTE - Duration::from_nanos(1));
    assert!(stage.admits(&ann(), "restart").await);
    stage.clock.advance(Duration::from_nanos(1));
    assert!(!stage.admits(&ann(), "restart").await);
    assert!(stage.grants.list().is_empty());
}

#[tokio::test]
async fn a_clock_that_is_set_back_prolongs_no_grant_and_what_has_ended_stays_so() {
    let stage = Stage::new();
    stage.grants.give(oncall(10)).unwrap();
    stage.clock.step_wall_to(START - 100 * MINUTE);
    assert!(
        stage.admits(&ann(), "restart").await,
        "nothing passed of its time"
    );
    stage.clock.advance(10 * MINUTE);
    assert!(!stage.admits(&ann(), "restart").await);

    stage.grants.give(oncall(10)).unwrap();
    let began = stage.clock.wall();
    stage.clock.step_wall_to(began + 10 * MINUTE);
    assert!(!stage.admits(&ann(), "restart").await);
    stage.clock.step_wall_to(began);
    assert!(!stage.admits(&ann(), "restart").await);
}

#[tokio::test]
async fn a_grant_that_begins_later_counts_from_then_on_whatever_the_wall_clock_says() {
    let stage = Stage::new();
    let later = oncall(10).from(START + 5 * MINUTE);
    stage.grants.give(later).unwrap();
    assert!(!stage.admits(&ann(), "restart").await);
    stage.clock.step_wall_to(START + 5 * MINUTE);
    assert!(!stage.admits(&ann(), "restart").await);
    stage.clock.step_wall_to(START);
    stage.clock.advance(5 * MINUTE);
    assert!(stage.admits(&ann(), "restart").await);
}

#[tokio::test]
async fn tv_16_a_grant_is_one_partys_and_never_anonymous() {
    let stage = Stage::new();
    let narrow = oncall(10).client("agent").tenant("acme");
    stage.grants.give(narrow).unwrap();
    let user = |issuer, subject| Principal::user(issuer, subject).client_id("agent");
    for (who, expected) in [
        (user(I, "ann").tenant("acme").build("jwt"), true),
        (user(I, "ann").tenant("acme").build("other"), true),
        (user(I, "ann").tenant("bcme").build("jwt"), false),
        (user(I, "ann").build("jwt"), false),
        (user(I, "anna").tenant("acme").build("jwt"), false),
        (user(I, "an").tenant("acme").build("jwt"), false),
        (user(I, "Ann").tenant("acme").build("jwt"), false),
        (
            user("https://auth.example.co", "ann")
                .tenant("acme")
                .build("jwt"),
            false,
        ),
        (Principal::user(I, "ann").tenant("acme").build("jwt"), false),
        (
            user(I, "ann")
                .client_id("other")
                .tenant("acme")
                .build("jwt"),
            false,
        ),
        (
            Principal::service(I, "ann")
                .client_id("agent")
                .tenant("acme")
                .build("jwt"),
            false,
        ),
        (Principal::anonymous(), false),
    ] {
        assert_eq!(stage.admits(&who, "restart").await, expected, "{who:?}");
    }
    let program = Grant::to_service(I, "ann").roles(["oncall"]).by("the desk");
    stage.grants.give(program.lasting(MINUTE)).unwrap();
    let program = Principal::service(I, "ann").build("mtls");
    assert!(stage.admits(&program, "restart").await);
}

#[tokio::test]
async fn a_grant_overrides_neither_a_denial_nor_a_scope() {
    let stage = Stage::new();
    stage.grants.give(oncall(10)).unwrap();
    assert_eq!(stage.ask(&ann(), "wipe").await.1.kind, "forbidden");
    let (_, finding) = stage.ask(&ann(), "scoped").await;
    assert_eq!(finding.kind, "scope_insufficient");
    let scoped = Principal::user(I, "ann").scopes(["ops"]).build("jwt");
    assert!(stage.admits(&scoped, "scoped").await);
}

#[tokio::test]
async fn al_3_a_decision_that_rests_on_a_grant_names_it_with_its_reason_and_another_does_not() {
    let stage = Stage::new();
    let id = stage.grants.give(oncall(10).reason("INC-42\n")).unwrap();
    let (_, finding) = stage.ask(&ann(), "restart").await;
    assert_eq!(finding.verdict, Verdict::Allowed);
    let expected = format!(
        r"policy `test`: rule `tool:restart`; by grant `{id}` for `INC-42\u{{a}}` by `the desk`"
    );
    assert_eq!(finding.reason, expected);
    let (_, finding) = stage.ask(&ann(), "wipe").await;
    assert!(!finding.reason.contains("grant"), "{finding:?}");
    let own = Principal::user(I, "ann").roles(["oncall"]).build("jwt");
    let (_, finding) = stage.ask(&own, "restart").await;
    assert!(!finding.reason.contains("grant"), "{finding:?}");
    // That a scope is all that is missing rests on the grant too.
    let (_, finding) = stage.ask(&ann(), "scoped").await;
    assert!(
        finding.reason.contains(&format!("by grant `{id}`")),
        "{finding:?}"
    );
}

#[tokio::test]
async fn a_role_that_the_policy_does_not_know_counts_for_nothing_and_is_noted() {
    let stage = Stage::new();
    let grant = Grant::to(I, "ann").roles(["root", "reader"]).by("the desk");
    stage.grants.give(grant.lasting(MINUTE)).unwrap();
    let (status, finding) = stage.ask(&ann(), "restart").await;
    assert_eq!(status, 403);
    assert!(
        finding.reason.contains("unknown roles `root` of grant"),
        "{finding:?}"
    );
    assert!(stage.admits(&ann(), "read").await);
}

#[tokio::test]
async fn a_grant_that_is_revoked_counts_no_more() {
    let stage = Stage::new();
    let id = stage.grants.give(oncall(10)).unwrap();
    assert!(stage.admits(&ann(), "restart").await);
    assert!(stage.grants.revoke(&id, "the desk"));
    assert!(!stage.grants.revoke(&id, "the desk"));
    assert!(!stage.admits(&ann(), "restart").await);
}

#[test]
fn a_grant_with_a_mistake_is_not_given() {
    let stage = Stage::new();
    let to = |subject| Grant::to(I, subject).lasting(MINUTE).by("the desk");
    let many: Vec<_> = (0..17).map(|n| format!("r{n}")).collect();
    let role = |role: &str| GrantError::Role(role.to_owned());
    let hours = |n: u64| Duration::from_secs(n * 3600);
    let bob = Principal::user(I, "bob").client_id("console").build("jwt");
    for (grant, error) in [
        (to("").roles(["r"]), GrantError::ToNobody),
        (Grant::to("", "ann").roles(["r"]), GrantError::ToNobody),
        (to("ann"), role("")),
        (to("ann").roles(&many), role("r0")),
        (to("ann").roles(["r", "r"]), role("r")),
        (to("ann").roles(["*"]), role("*")),
        (to("ann").roles([" r"]), role(" r")),
        (
            oncall(1).reason(&"x".repeat(257)),
            GrantError::TooLong("reason"),
        ),
        (
            to(&"x".repeat(1025)).roles(["r"]),
            GrantError::TooLong("subject"),
        ),
        (oncall(1).by("x".repeat(257)), GrantError::TooLong("giver")),
        (
            Grant::to(I, "ann").roles(["r"]).by("desk"),
            GrantError::NoEnd,
        ),
        (oncall(0), GrantError::Over),
        (oncall(1).until(START), GrantError::Over),
        // A duration, where the time since the epoch is meant.
        (oncall(1).until(MINUTE), GrantError::Over),
        (
            oncall(1).from(START + MINUTE).until(START + MINUTE),
            GrantError::Over,
        ),
        (
            oncall(1).lasting(hours(8) + Duration::from_nanos(1)),
            GrantError::TooLongLasting(hours(8)),
        ),
        (
            // What has passed does not count, so that no early beginning makes room for a late end.
            oncall(1).from(Duration::ZERO).until(START + hours(9)),
            GrantError::TooLongLasting(hours(8)),
        ),
        (oncall(1).from(START + hours(721)), GrantError::TooFarAhead),
        (
            oncall(1).lasting(Duration::MAX),
            GrantError::TooLongLasting(hours(8)),
        ),
        (
            Grant::to(I, "ann").roles(["r"]).lasting(MINUTE),
            GrantError::NobodyGives,
        ),
        (oncall(1).by(""), GrantError::NobodyGives),
        (
            oncall(1).by(&Principal::anonymous()),
            GrantError::NobodyGives,
        ),
        (to("bob").roles(["r"]).by(&bob), GrantError::ToThemselves),
        (
            Grant::to_service(I, "bob")
                .roles(["r"])
                .lasting(MINUTE)
                .by(&bob),
            GrantError::ToThemselves,
        ),
    ] {
        assert_eq!(stage.grants.give(grant.clone()), Err(error), "{grant:?}");
    }
    assert!(stage.grants.list().is_empty());
    assert!(stage.grants.give(oncall(1).by(&bob)).is_ok());
    assert!(stage.grants.give(oncall(8 * 60)).is_ok());
}

#[test]
fn where_there_is_no_room_nothing_is_given_and_nothing_dropped() {
    let stage = Stage::of(Grants::builder().room(20));
    for _ in 0..16 {
        stage.grants.give(oncall(10)).unwrap();
    }
    assert_eq!(stage.grants.give(oncall(10)), Err(GrantError::Full));
    let to = |n: u32| {
        Grant::to(I, &format!("u{n}"))
            .roles(["r"])
            .by("desk")
            .lasting(MINUTE)
    };
    for n in 0..4 {
        stage.grants.give(to(n)).unwrap();
    }
    assert_eq!(stage.grants.give(to(5)), Err(GrantError::Full));
    assert_eq!(stage.grants.list().len(), 20);
    stage.clock.advance(MINUTE);
    assert!(stage.grants.give(to(5)).is_ok(), "what is over makes room");
}

#[test]
fn bounds_out_of_their_range_do_not_build() {
    for (builder, named) in [
        (Grants::builder().at_most(Duration::ZERO), "`0`"),
        (
            Grants::builder().at_most(31 * 24 * 60 * MINUTE),
            "`2678400`",
        ),
        (Grants::builder().room(0), "`0`"),
        (Grants::builder().room(65_537), "`65537`"),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[tokio::test]
async fn events_tell_of_grants_that_are_given_revoked_and_over() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let stage = Stage::of({
        let heard = Arc::clone(&heard);
        Grants::builder().events(Events::to(move |event| {
            let told = format!("{} {}", event.kind, event.detail);
            heard.lock().unwrap().push(told);
        }))
    });
    let first = stage.grants.give(oncall(10).reason("INC-42")).unwrap();
    let second = stage.grants.give(oncall(10)).unwrap();
    stage
        .grants
        .revoke(&second, &Principal::user(I, "bob").build("jwt"));
    stage.clock.advance(10 * MINUTE);
    // Any decision notices, and one does.
    for _ in 0..3 {
        stage
            .ask(&Principal::user(I, "zoe").build("jwt"), "read")
            .await;
    }
    let of = format!("of roles `oncall` to `ann` of `{I}` until 1800000600");
    let expected = [
        format!("grant_given grant `{first}` for `INC-42` by `the desk`, {of}"),
        format!("grant_given grant `{second}` by `the desk`, {of}"),
        format!("grant_revoked grant `{second}` by `the desk`, {of}, revoked by `bob of {I}`"),
        format!("grant_ended grant `{first}` for `INC-42` by `the desk`, {of}"),
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[tokio::test]
async fn handlers_see_the_granted_roles_until_they_end() {
    let stage = Stage::new();
    stage.grants.give(oncall(10)).unwrap();
    let mut request = post("tools/call", json!({"name": "read"}));
    let context = SecurityContext::of(&mut request);
    context.set_principal(ann()).unwrap();
    let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    stage.layer.layer(inner).oneshot(request).await.unwrap();
    let asked = || {
        let permissions = context.permissions().unwrap();
        let who = context.principal().unwrap();
        (
            permissions.has_role(who, "reader"),
            permissions.has_capability(who, "pager:silence"),
        )
    };
    assert_eq!(asked(), (true, true));
    stage.clock.advance(10 * MINUTE);
    assert_eq!(asked(), (false, false));
}

#[tokio::test]
async fn ta_2_a_list_on_a_stream_that_outlives_a_grant_does_not_show_by_it() {
    let stage = Stage::new();
    stage.grants.give(oncall(10)).unwrap();
    let mut request = post("tools/list", json!({}));
    let context = SecurityContext::of(&mut request);
    context.set_principal(ann()).unwrap();
    let list =
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"restart"},{"name":"read"}]}}"#;
    let (sender, frames) = Frames::channel();
    let frames = Arc::new(Mutex::new(Some(frames)));
    let inner = service_fn(move |_: Request<RequestBody<Full<Bytes>>>| {
        let frames = frames.lock().unwrap().take().unwrap();
        let answer = Response::builder().header("content-type", "text/event-stream");
        async move { Ok::<_, Infallible>(answer.body(frames).unwrap()) }
    });
    let answer = stage.layer.layer(inner).oneshot(request).await.unwrap();
    let mut body = Box::pin(answer.into_body());
    for (is_shown, wait) in [(true, Duration::ZERO), (false, 10 * MINUTE)] {
        stage.clock.advance(wait);
        sender.data(format!("data: {list}\n\n"));
        let frame = body.frame().await.unwrap().unwrap();
        let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
        assert_eq!(text.contains("restart"), is_shown, "{text}");
    }
}

#[tokio::test]
async fn layers_of_one_handle_judge_by_the_same_grants_and_by_no_second_ones() {
    let stage = Stage::new();
    let same = RbacLayer::with_handle(stage.layer.handle());
    stage.grants.give(oncall(10)).unwrap();
    assert_eq!(ask(&same, &ann(), "restart").await.0, 200);
    stage.layer.handle().swap(policy());
    assert_eq!(ask(&same, &ann(), "restart").await.0, 200);
    let error = same.clone().grants(Grants::new()).unwrap_err().to_string();
    assert!(error.contains("grants"), "{error}");
    assert!(same.grants(stage.grants.clone()).is_ok());
}

#[tokio::test]
async fn one_policy_in_two_handles_is_no_way_to_the_grants_of_one() {
    let stage = Stage::new();
    stage.grants.give(oncall(10)).unwrap();
    let strict = RbacLayer::with_handle(PolicyHandle::new(stage.layer.handle().policy()));
    let inner = service_fn(|_: Request<RequestBody<RequestBody<Full<Bytes>>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let mut request = post("tools/call", json!({"name": "restart"}));
    SecurityContext::of(&mut request)
        .set_principal(ann())
        .unwrap();
    let both = stage.layer.layer(strict.layer(inner));
    assert_eq!(both.oneshot(request).await.unwrap().status(), 500);
}

#[cfg(feature = "serde")]
#[test]
fn grants_are_listed_as_json() {
    let stage = Stage::new();
    let id = stage
        .grants
        .give(oncall(10).client("agent").reason("INC-42"))
        .unwrap();
    assert_eq!(
        serde_json::to_value(stage.grants.list()).unwrap(),
        json!([{
            "id": id.to_string(), "issuer": I, "subject": "ann", "is_service": false,
            "client": "agent", "tenant": null, "roles": ["oncall"], "from": 1_800_000_000,
            "until": 1_800_000_600, "reason": "INC-42", "by": "the desk",
        }])
    );
}
