//! The layer as its users see it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of these tests are tests too"
)]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bartizan_core::{
    CallLimits, Denial, DenialKind, Finding, Principal, RequestBody, ResponseBody, SecurityContext,
    Verdict,
};
use bartizan_rbac::{Decision, Operation, Policy, RbacLayer, Rule};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::WWW_AUTHENTICATE};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

/// A response, what was recorded, and how often the inner service was called.
struct Answer {
    response: Response<ResponseBody<Full<Bytes>>>,
    findings: Vec<Finding>,
    reached: usize,
}

impl Answer {
    fn status(&self) -> StatusCode {
        self.response.status()
    }

    fn denial(&self) -> &Denial {
        self.response.extensions().get::<Denial>().unwrap()
    }

    fn challenges(&self) -> Vec<&str> {
        let lines = self.response.headers().get_all(WWW_AUTHENTICATE);
        lines.iter().map(|line| line.to_str().unwrap()).collect()
    }

    fn finding(&self) -> &Finding {
        assert_eq!(self.findings.len(), 1, "{:?}", self.findings);
        &self.findings[0]
    }

    async fn text(self) -> String {
        let headers = format!("{:?}", self.response.headers());
        let body = self.response.into_body().collect().await.unwrap();
        format!("{headers} {}", String::from_utf8_lossy(&body.to_bytes()))
    }
}

/// Who asks, and what the authentication layer left.
#[derive(Clone, Default)]
struct Caller {
    principal: Option<Principal>,
    challenges: Vec<&'static str>,
}

impl Caller {
    fn of(principal: Principal) -> Self {
        Self {
            principal: Some(principal),
            challenges: vec![BEARER],
        }
    }

    fn user(roles: &[&str], scopes: &[&str]) -> Self {
        let ann = Principal::user("https://auth.example.com", "ann");
        Self::of(ann.roles(roles).scopes(scopes).build("jwt"))
    }

    fn anonymous() -> Self {
        Self::of(Principal::anonymous())
    }

    async fn ask(&self, policy: &Arc<Policy>, mut request: Request<Full<Bytes>>) -> Answer {
        let context = SecurityContext::of(&mut request);
        context.open_trail();
        if let Some(principal) = self.principal.clone() {
            context.set_principal(principal).unwrap();
        }
        if !self.challenges.is_empty() {
            let lines = self
                .challenges
                .iter()
                .map(|line| HeaderValue::from_static(line));
            context.offer_challenges(lines.collect());
        }
        let reached = AtomicUsize::new(0);
        let inner = service_fn(|request: Request<RequestBody<Full<Bytes>>>| {
            reached.fetch_add(1, Ordering::Relaxed);
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Ok::<_, Infallible>(Response::new(Full::new(body)))
            }
        });
        let service = RbacLayer::new(Arc::clone(policy)).layer(inner);
        let response = service.oneshot(request).await.unwrap();
        Answer {
            response,
            findings: context.open_trail().findings(),
            reached: reached.load(Ordering::Relaxed),
        }
    }

    async fn call(&self, policy: &Arc<Policy>, method: &str, params: Value) -> Answer {
        self.ask(policy, post(method, params)).await
    }

    async fn tool(&self, policy: &Arc<Policy>, name: &str) -> Answer {
        self.call(policy, "tools/call", json!({"name": name})).await
    }
}

const BEARER: &str = r#"Bearer resource_metadata="https://h/m", scope="base""#;

fn raw(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post("/mcp").header("content-type", "application/json");
    request.body(Full::new(body.into())).unwrap()
}

fn post(method: &str, params: Value) -> Request<Full<Bytes>> {
    raw(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string())
}

/// The rules that most tests ask.
fn notes() -> Arc<Policy> {
    let policy = Policy::enterprise()
        .capability("files:read")
        .grant("viewer", ["files:read"])
        .scope_includes("notes.admin", ["notes.write", "notes.read"])
        .rule(Rule::tool("delete_*").role("admin"))
        .rule(Rule::tool("*_note").any_role(["viewer", "service"]))
        .rule(
            Rule::tool("edit_note")
                .scope("notes.read")
                .scope("notes.write"),
        )
        .rule(
            Rule::tool("trigger")
                .capability("pipelines:trigger")
                .named("may trigger"),
        )
        .rule(Rule::tool("status").anyone())
        .rule(Rule::tool("whoami").identified())
        .rule(Rule::tool("format_disk").deny())
        .rule(Rule::resource("file:///public/**").capability("files:read"))
        .rule(Rule::resource("file:///**/key.pem").role("admin"))
        .rule(Rule::resource("https://docs.example.com/**").identified())
        .rule(Rule::resource("urn:*").identified())
        .rule(Rule::prompt("review_*").any_role(["developer", "analyst"]))
        .rule(Rule::method("logging/setLevel").role("admin"))
        .rule(Rule::method("subscriptions/listen").identified())
        .build();
    Arc::new(policy.unwrap())
}

#[tokio::test]
async fn ta_1_sc_5_viewer_on_the_destructive_tool_is_403_without_challenge_and_admin_is_200() {
    let viewer = Caller::user(&["viewer"], &["notes.admin"]);
    let refused = viewer.tool(&notes(), "delete_note").await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.denial().kind(), DenialKind::Forbidden);
    assert_eq!(refused.challenges(), [""; 0]);
    assert_eq!(refused.reached, 0);

    let admin = Caller::user(&["admin"], &[]);
    let admitted = admin.tool(&notes(), "delete_note").await;
    assert_eq!((admitted.status(), admitted.reached), (StatusCode::OK, 1));
}

#[tokio::test]
async fn seed_z1_ta_10_a_role_in_arguments_or_client_info_changes_nothing() {
    let viewer = Caller::user(&["viewer"], &[]);
    for params in [
        json!({"name": "delete_note", "arguments": {"user_context": {"role": "admin"}}}),
        json!({"name": "delete_note", "role": "admin", "roles": ["admin"]}),
        json!({"name": "delete_note", "_meta": {"io.modelcontextprotocol/clientInfo":
            {"name": "admin", "version": "1"}, "role": "admin"}}),
        json!({"name": "delete_note", "annotations": {"readOnlyHint": true}}),
    ] {
        let answer = viewer.call(&notes(), "tools/call", params).await;
        assert_eq!(answer.status(), 403);
    }
}

#[test]
fn seed_z2_seed_z3_the_preset_gives_every_role_what_it_includes_and_grants() {
    let policy = Policy::enterprise().build().unwrap();
    let all = [
        "assignments:create",
        "assignments:read",
        "assignments:update",
        "assignments:delete",
        "releases:deploy",
        "pipelines:trigger",
        "reports:read",
    ];
    for (role, includes, grants) in [
        (
            "admin",
            &["admin", "developer", "analyst", "viewer", "service"][..],
            &all[..],
        ),
        (
            "developer",
            &["developer", "viewer"],
            &[
                "assignments:create",
                "assignments:read",
                "assignments:update",
                "pipelines:trigger",
            ],
        ),
        (
            "analyst",
            &["analyst", "viewer"],
            &["assignments:read", "reports:read"],
        ),
        ("viewer", &["viewer"], &["assignments:read"]),
        (
            "service",
            &["service"],
            &["assignments:read", "pipelines:trigger"],
        ),
    ] {
        let ann = Principal::user("i", "ann").roles([role]).build("jwt");
        for other in ["admin", "developer", "analyst", "viewer", "service"] {
            let has = policy.check_role(&ann, &[other]);
            assert_eq!(has, includes.contains(&other), "{role} as {other}");
        }
        for capability in all {
            let has = policy.has_capability(&ann, capability);
            assert_eq!(has, grants.contains(&capability), "{role}, {capability}");
        }
    }
}

#[test]
fn seed_z4_several_roles_add_up_and_unknown_ones_do_not_count() {
    let policy = notes();
    let both = Principal::user("i", "ann")
        .roles(["service", "analyst", "nobody"])
        .build("jwt");
    assert!(policy.check_role(&both, &["viewer"]) && policy.check_role(&both, &["service"]));
    assert!(!policy.check_role(&both, &["admin", "nobody"]));
    assert!(!policy.check_role(&both, &[]));
    for tool in ["read_note", "trigger"] {
        assert!(
            policy
                .decide(Some(&both), &Operation::tool(tool))
                .is_admitted(),
            "{tool}"
        );
    }
    // Exactly: neither case nor space is folded.
    let near = Principal::user("i", "ann")
        .roles(["Admin", "admin ", "ADMIN", "*"])
        .build("jwt");
    assert!(!policy.check_role(&near, &["admin", "viewer", "*"]));
}

#[test]
fn seed_z5_a_typo_does_not_build_and_is_named() {
    let rule = |rule: Rule| Policy::enterprise().rule(rule).build();
    for (built, named) in [
        (rule(Rule::tool("x").role("admn")), "role `admn`"),
        (
            rule(Rule::tool("x").any_role(["admin", "viewr"])),
            "role `viewr`",
        ),
        (
            rule(Rule::tool("x").capability("assignmets:read")),
            "`assignmets:read`",
        ),
        (
            rule(Rule::tool("x").capability("assignments:*")),
            "`assignments:*`",
        ),
        (rule(Rule::tool("x").scope("a b")), "scope `a b`"),
        (rule(Rule::tool("x").scope("")), "scope ``"),
        (rule(Rule::tool("x")), "rule `tool:x` needs nothing"),
        (
            rule(Rule::tool("x").anyone().role("admin")),
            "rule `tool:x`",
        ),
        (rule(Rule::tool("x").deny().identified()), "rule `tool:x`"),
        (rule(Rule::tool("x").deny().anyone()), "rule `tool:x`"),
        (
            rule(Rule::tool("x").role("admin").role("admin")),
            "`admin` is needed twice",
        ),
        (
            rule(Rule::tool("x").scope("a").scope("a")),
            "`a` is needed twice",
        ),
        (rule(Rule::tool("").deny()), "pattern ``"),
        (rule(Rule::tool("a?").deny()), "pattern `a?`"),
        (rule(Rule::tool("{a,b}").deny()), "pattern `{a,b}`"),
        (rule(Rule::tool("*").except("[a]").deny()), "pattern `[a]`"),
        (
            rule(Rule::resource("file:///a/../b").deny()),
            "pattern `file:///a/../b`",
        ),
        (rule(Rule::stream().except("x").deny()), "pattern `x`"),
        (rule(Rule::tool("x").named("").deny()), "rule ``"),
        (
            Policy::enterprise()
                .rule(Rule::tool("x").role("admin"))
                .rule(Rule::tool("x").scope("a"))
                .build(),
            "rule `tool:x` is there twice",
        ),
        (
            Policy::builder()
                .role("a", [])
                .capability("c:d")
                .rule(Rule::tool("x").capability("c:d"))
                .build(),
            "`c:d` is granted by no role",
        ),
    ] {
        let error = built.unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[tokio::test]
async fn seed_z6_what_no_rule_covers_is_denied_even_to_admin() {
    let admin = Caller::user(&["admin"], &["notes.admin"]);
    for (method, params) in [
        ("tools/call", json!({"name": "unheard_of"})),
        ("tools/call", json!({"name": "format_disk"})),
        ("tools/call", json!({"name": "delete"})),
        ("prompts/get", json!({"name": "unheard_of"})),
        ("resources/read", json!({"uri": "file:///etc/passwd"})),
        ("sampling/createMessage", json!({})),
        ("tasks/get", json!({"taskId": "1"})),
        ("Tools/Call", json!({"name": "read_note"})),
        ("nope/x", json!({})),
        ("", json!({})),
    ] {
        let answer = admin.call(&notes(), method, params).await;
        assert_eq!(
            (answer.status(), answer.reached),
            (StatusCode::FORBIDDEN, 0),
            "{method}"
        );
        assert_eq!(answer.challenges(), [""; 0]);
    }
}

#[tokio::test]
async fn seed_z7_sc_7_a_scope_without_the_role_and_a_role_without_the_scope_are_both_refused() {
    for (roles, scopes, kind) in [
        (&["viewer"][..], &["notes.read", "notes.write"][..], None),
        (
            &["viewer"],
            &["notes.read"],
            Some(DenialKind::ScopeInsufficient),
        ),
        (&["admin"], &[], Some(DenialKind::ScopeInsufficient)),
        (
            &[],
            &["notes.read", "notes.write"],
            Some(DenialKind::Forbidden),
        ),
        (&[], &[], Some(DenialKind::Forbidden)),
    ] {
        let answer = Caller::user(roles, scopes)
            .tool(&notes(), "edit_note")
            .await;
        let found = answer
            .response
            .extensions()
            .get::<Denial>()
            .map(Denial::kind);
        assert_eq!(found, kind, "{roles:?} {scopes:?}");
        let challenged = kind == Some(DenialKind::ScopeInsufficient);
        assert_eq!(!answer.challenges().is_empty(), challenged);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceVector {
    uri: String,
    verdict: String,
    why: String,
}

#[tokio::test]
async fn seed_z8_ta_6_resources_are_judged_as_the_vectors_say() {
    let vectors = include_str!("../../../tests/vectors/resources.json");
    let vectors: Vec<ResourceVector> = serde_json::from_str(vectors).unwrap();
    let viewer = Caller::user(&["viewer"], &[]);
    for ResourceVector { uri, verdict, why } in vectors {
        for (method, params) in [
            ("resources/read", json!({"uri": uri})),
            ("resources/subscribe", json!({"uri": uri})),
            ("resources/unsubscribe", json!({"uri": uri})),
            (
                "completion/complete",
                json!({"ref": {"type": "ref/resource", "uri": uri}, "argument": {}}),
            ),
            (
                "subscriptions/listen",
                json!({"notifications": {"resourceSubscriptions": ["urn:a", uri]}}),
            ),
        ] {
            let answer = viewer.call(&notes(), method, params).await;
            let expected = match &*verdict {
                "allowed" => 200,
                "forbidden" => 403,
                other => panic!("{other}"),
            };
            assert_eq!(answer.status(), expected, "{method} of {uri:?}: {why}");
            assert_eq!(answer.challenges(), [""; 0]);
        }
    }
}

#[tokio::test]
async fn ta_6_what_is_unclear_is_refused_however_wide_the_rule() {
    let wide = Policy::builder().rule(Rule::resource("**").identified());
    let wide = wide.rule(Rule::method("*").anyone()).build().unwrap();
    let vectors = include_str!("../../../tests/vectors/resources.json");
    let vectors: Vec<ResourceVector> = serde_json::from_str(vectors).unwrap();
    let ann = Caller::user(&[], &[]);
    let wide = Arc::new(wide);
    let mut refused = 0;
    for vector in vectors {
        let answer = ann
            .call(&wide, "resources/read", json!({"uri": vector.uri}))
            .await;
        let clear = vector.verdict == "allowed"
            || [
                "no rule",
                "another host",
                "the name in",
                "the name as",
                "a folder",
            ]
            .iter()
            .any(|why| vector.why.contains(why));
        assert_eq!(
            answer.status() == 200,
            clear,
            "{:?}: {}",
            vector.uri,
            vector.why
        );
        refused += usize::from(!clear);
    }
    assert!(refused > 50, "{refused}");
}

#[tokio::test]
async fn ta_6_an_over_long_name_is_refused_and_not_recorded_in_full() {
    let ann = Caller::user(&["admin"], &[]);
    let long = format!("x_{}_note", "a".repeat(5000));
    let answer = ann.tool(&notes(), &long).await;
    assert_eq!(answer.status(), 403);
    assert!(answer.denial().reason().len() < 1000);
}

#[tokio::test]
async fn seed_z9_sc_10_al_3_a_denial_is_recorded_with_its_rules_and_what_they_lacked() {
    let policy = notes();
    for (caller, tool, kind, named) in [
        (
            Caller::user(&["viewer", "x\ny"], &[]),
            "delete_note",
            "forbidden",
            &[
                "rule `tool:delete_*`",
                "role `admin`",
                r"unknown roles `x\u{a}y`",
            ][..],
        ),
        (
            Caller::user(&["viewer"], &[]),
            "trigger",
            "forbidden",
            &["rule `may trigger`", "capability `pipelines:trigger`"],
        ),
        (
            Caller::user(&["viewer"], &["notes.read", "other"]),
            "edit_note",
            "scope_insufficient",
            &[
                "rule `tool:edit_note` lacks scope `notes.write`",
                "`notes.read notes.write` needed, `notes.read other` held",
            ],
        ),
        (
            Caller::user(&["admin"], &[]),
            "un\u{202e}known",
            "forbidden",
            &["no rule covers `tools/call` of `un\\u{202e}known`"],
        ),
        (
            Caller::user(&["admin"], &[]),
            "format_disk",
            "forbidden",
            &["`tool:format_disk` denies"],
        ),
        (
            Caller::default(),
            "status",
            "forbidden",
            &["no principal", "authentication layer"],
        ),
        (
            Caller::anonymous(),
            "whoami",
            "credentials_missing",
            &["rule `tool:whoami` needs somebody"],
        ),
    ] {
        let answer = caller.tool(&policy, tool).await;
        let finding = answer.finding();
        assert_eq!((finding.layer, finding.verdict), ("rbac", Verdict::Refused));
        assert_eq!(finding.kind, kind, "{tool}");
        for name in named {
            assert!(finding.reason.contains(name), "{name}: {}", finding.reason);
        }
    }
}

#[tokio::test]
async fn an_admission_is_recorded_with_the_rules_that_were_satisfied() {
    let caller = Caller::user(&["viewer", "guest"], &["notes.admin"]);
    let answer = caller.tool(&notes(), "edit_note").await;
    let finding = answer.finding();
    assert_eq!(
        (finding.verdict, finding.kind),
        (Verdict::Allowed, "permitted")
    );
    let expected = "rule `tool:edit_note`, rule `tool:*_note`; unknown roles `guest`";
    assert_eq!(finding.reason, expected);
    let answer = caller.call(&notes(), "ping", json!({})).await;
    assert!(answer.finding().reason.starts_with("baseline `lifecycle`"));
}

#[tokio::test]
async fn seed_z10_the_caller_is_told_neither_role_nor_capability_nor_rule() {
    for (caller, tool) in [
        (Caller::user(&["viewer"], &[]), "delete_note"),
        (Caller::user(&["viewer"], &[]), "trigger"),
        (Caller::user(&["viewer"], &[]), "edit_note"),
        (Caller::user(&["viewer"], &[]), "unknown_role"),
        (Caller::anonymous(), "delete_note"),
        (Caller::default(), "delete_note"),
    ] {
        let answer = caller.tool(&notes(), tool).await;
        assert!(answer.status().is_client_error());
        let text = answer.text().await;
        for secret in [
            "admin",
            "viewer",
            "pipelines",
            "tool:",
            "rule",
            "role",
            "capab",
            "unknown",
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[tokio::test]
async fn seed_z10_a_known_and_an_unknown_tool_are_refused_with_the_same_bytes() {
    let viewer = Caller::user(&["viewer"], &[]);
    let hidden = viewer.tool(&notes(), "delete_note").await.text().await;
    let unknown = viewer.tool(&notes(), "unheard_of").await.text().await;
    assert_eq!(hidden, unknown);
}

#[tokio::test]
async fn sc_1_sc_2_sc_3_too_few_scopes_are_403_with_all_scopes_of_the_operation_each_time() {
    let line = r#"Bearer error="insufficient_scope", scope="notes.read notes.write", resource_metadata="https://h/m""#;
    for scopes in [
        &[][..],
        &["notes.read"],
        &["notes.write"],
        &["base", "other"],
    ] {
        let answer = Caller::user(&["viewer"], scopes)
            .tool(&notes(), "edit_note")
            .await;
        assert_eq!(answer.status(), 403);
        assert_eq!(answer.challenges(), [line], "{scopes:?}");
    }
    let full = Caller::user(&["viewer"], &["notes.write", "notes.read"]);
    assert_eq!(full.tool(&notes(), "edit_note").await.status(), 200);
}

#[tokio::test]
async fn sc_2_scopes_of_every_covering_rule_are_in_the_one_challenge() {
    let policy = Policy::builder()
        .rule(Rule::tool("a*").scope("one").scope("two"))
        .rule(Rule::tool("ab").scope("three").scope("one"))
        .rule(Rule::method("tools/call").scope("four"))
        .build();
    let answer = Caller::user(&[], &["two"])
        .tool(&Arc::new(policy.unwrap()), "ab")
        .await;
    let line = answer.challenges().join("\n");
    assert!(line.contains(r#"scope="three one two four""#), "{line}");
}

#[tokio::test]
async fn sc_4_a_wider_scope_will_do() {
    let wide = Caller::user(&["viewer"], &["notes.admin"]);
    assert_eq!(wide.tool(&notes(), "edit_note").await.status(), 200);
}

#[tokio::test]
async fn ac_1_ac_4_nobody_where_somebody_is_needed_is_401_with_what_the_operation_needs() {
    let mut nobody = Caller::anonymous();
    nobody.challenges = vec!["ApiKey realm=\"k\"", BEARER];
    let answer = nobody.tool(&notes(), "edit_note").await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.denial().kind(), DenialKind::CredentialsMissing);
    let bearer = r#"Bearer scope="notes.read notes.write", resource_metadata="https://h/m""#;
    assert_eq!(answer.challenges(), [bearer, "ApiKey realm=\"k\""]);

    let answer = nobody.tool(&notes(), "whoami").await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.challenges(), nobody.challenges);

    nobody.challenges.clear();
    let answer = nobody.tool(&notes(), "whoami").await;
    assert_eq!(
        answer.status(),
        403,
        "there is nothing to answer a 401 with"
    );
    assert_eq!(answer.challenges(), [""; 0]);
}

#[tokio::test]
async fn nobody_is_403_where_no_credential_would_help_and_200_where_anyone_may() {
    for (tool, status) in [("format_disk", 403), ("unheard_of", 403), ("status", 200)] {
        let answer = Caller::anonymous().tool(&notes(), tool).await;
        assert_eq!(answer.status(), status, "{tool}");
    }
}

#[tokio::test]
async fn tr_28_a_request_that_no_authentication_layer_saw_is_403_for_everything() {
    let open = Policy::builder()
        .rule(Rule::method("*").anyone())
        .rule(Rule::tool("*").anyone());
    let open = Arc::new(open.build().unwrap());
    for method in [
        "ping",
        "initialize",
        "server/discover",
        "tools/list",
        "nope",
    ] {
        let answer = Caller::default().call(&open, method, json!({})).await;
        assert_eq!(answer.status(), 403, "{method}");
        assert_eq!(
            Caller::anonymous()
                .call(&open, method, json!({}))
                .await
                .status()
                .as_u16(),
            if method == "tools/list" { 401 } else { 200 }
        );
    }
    assert_eq!(Caller::default().tool(&open, "status").await.status(), 403);
}

/// What the baseline and `notes()` say of each method, to nobody, to somebody and to an admin.
const METHODS: &[(&str, Value, [u16; 3])] = &[
    ("initialize", Value::Null, [200, 200, 200]),
    ("server/discover", Value::Null, [200, 200, 200]),
    ("ping", Value::Null, [200, 200, 200]),
    ("notifications/initialized", Value::Null, [403, 403, 403]),
    ("tools/list", Value::Null, [401, 200, 200]),
    ("resources/list", Value::Null, [401, 200, 200]),
    ("resources/templates/list", Value::Null, [401, 200, 200]),
    ("prompts/list", Value::Null, [401, 200, 200]),
    ("logging/setLevel", Value::Null, [401, 403, 200]),
    ("subscriptions/listen", Value::Null, [401, 200, 200]),
    ("tasks/list", Value::Null, [403, 403, 403]),
    ("sampling/createMessage", Value::Null, [403, 403, 403]),
    ("elicitation/create", Value::Null, [403, 403, 403]),
    ("roots/list", Value::Null, [403, 403, 403]),
    ("notifications/message", Value::Null, [403, 403, 403]),
    ("rpc.discover", Value::Null, [403, 403, 403]),
];

#[tokio::test]
async fn sc_9_n_15_every_method_is_judged_for_every_kind_of_principal() {
    let policy = notes();
    let callers = [
        Caller::anonymous(),
        Caller::user(&[], &[]),
        Caller::user(&["admin"], &["notes.admin"]),
    ];
    let named = [
        ("tools/call", json!({"name": "read_note"}), [401, 403, 200]),
        ("tools/call", json!({"name": "whoami"}), [401, 200, 200]),
        (
            "prompts/get",
            json!({"name": "review_code"}),
            [401, 403, 200],
        ),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "review_code"}}),
            [401, 403, 200],
        ),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "other"}}),
            [403, 403, 403],
        ),
        (
            "resources/read",
            json!({"uri": "file:///public/a"}),
            [401, 403, 200],
        ),
        (
            "resources/subscribe",
            json!({"uri": "file:///public/a"}),
            [401, 403, 200],
        ),
        (
            "resources/unsubscribe",
            json!({"uri": "file:///public/a"}),
            [401, 403, 200],
        ),
        ("tasks/get", json!({"taskId": "1"}), [403, 403, 403]),
        ("tasks/cancel", json!({"taskId": "1"}), [403, 403, 403]),
        ("tasks/update", json!({"taskId": "1"}), [403, 403, 403]),
        ("tasks/result", json!({"taskId": "1"}), [403, 403, 403]),
    ];
    for (method, params, statuses) in METHODS.iter().chain(&named) {
        for (caller, status) in callers.iter().zip(statuses) {
            let params = if params.is_null() {
                json!({})
            } else {
                params.clone()
            };
            let answer = caller.call(&policy, method, params).await;
            assert_eq!(
                answer.status(),
                *status,
                "{method} for {:?}",
                caller.principal
            );
            assert_eq!(answer.reached, usize::from(*status == 200));
        }
    }
}

#[tokio::test]
async fn the_baseline_covers_what_has_no_method_and_four_notifications() {
    let others = || {
        let response = json!({"jsonrpc": "2.0", "id": 1, "result": {}}).to_string();
        let notice = |name: &str| json!({"jsonrpc": "2.0", "method": name}).to_string();
        let method = |method| {
            Request::builder()
                .method(method)
                .body(Full::default())
                .unwrap()
        };
        vec![
            (method("GET"), Rule::stream(), 200),
            (method("DELETE"), Rule::end_session(), 200),
            (raw(response), Rule::response(), 200),
            (
                raw(notice("notifications/initialized")),
                Rule::method("*"),
                200,
            ),
            (
                raw(notice("notifications/cancelled")),
                Rule::method("*"),
                200,
            ),
            (
                raw(notice("notifications/progress")),
                Rule::method("*"),
                200,
            ),
            (
                raw(notice("notifications/roots/list_changed")),
                Rule::method("*"),
                200,
            ),
            (raw(notice("notifications/other")), Rule::method("*"), 403),
            (raw(notice("tools/list")), Rule::method("*"), 403),
            (raw(notice("ping")), Rule::method("*"), 403),
        ]
    };
    let bare = Arc::new(Policy::builder().without_baseline().build().unwrap());
    for place in 0..others().len() {
        let request = || others().swap_remove(place);
        let anonymous = Caller::anonymous();
        let answer = anonymous.ask(&notes(), request().0).await;
        assert_eq!(answer.status(), request().2, "{place}");
        assert_eq!(
            anonymous.ask(&bare, request().0).await.status(),
            403,
            "{place}"
        );
        let opened = Policy::builder()
            .without_baseline()
            .rule(request().1.anyone());
        let opened = Arc::new(opened.build().unwrap());
        assert_eq!(
            anonymous.ask(&opened, request().0).await.status(),
            200,
            "{place}"
        );
        let closed = Arc::new(Policy::builder().rule(request().1.deny()).build().unwrap());
        assert_eq!(
            anonymous.ask(&closed, request().0).await.status(),
            403,
            "{place}"
        );
    }
}

#[tokio::test]
async fn n_15_without_the_baseline_even_discovery_needs_a_rule() {
    let bare = Policy::builder().without_baseline();
    let bare = bare.rule(Rule::method("tools/list").anyone()).build();
    let bare = Arc::new(bare.unwrap());
    let ann = Caller::user(&[], &[]);
    assert_eq!(
        ann.call(&bare, "server/discover", json!({})).await.status(),
        403
    );
    let listed = Caller::anonymous()
        .call(&bare, "tools/list", json!({}))
        .await;
    assert_eq!(listed.status(), 200);
}

#[tokio::test]
async fn a_method_rule_adds_to_the_baseline_and_to_the_rules_of_what_it_acts_on() {
    let policy = Policy::enterprise()
        .rule(Rule::method("tools/*").role("viewer"))
        .rule(Rule::tool("x").scope("x"))
        .build();
    let policy = Arc::new(policy.unwrap());
    for (roles, scopes, tool, listed) in [
        (&[][..], &["x"][..], 403, 403),
        (&["viewer"], &[], 403, 200),
        (&["viewer"], &["x"], 200, 200),
    ] {
        let caller = Caller::user(roles, scopes);
        assert_eq!(caller.tool(&policy, "x").await.status(), tool);
        let list = caller.call(&policy, "tools/list", json!({})).await;
        assert_eq!(list.status(), listed);
    }
}

#[tokio::test]
async fn n_19_ta_6_to_listen_to_a_resource_is_to_subscribe_to_it() {
    let policy = notes();
    let listen = |uris: &[&str]| json!({"notifications": {"resourceSubscriptions": uris}});
    for (uris, viewer, admin) in [
        (&["file:///public/a"][..], 200, 200),
        (&["file:///public/a", "file:///public/key.pem"], 403, 200),
        (&["file:///public/a", "file:///etc/shadow"], 403, 403),
        (&["file:///public/a", "file:///public/../x"], 403, 403),
    ] {
        for (role, status) in [("viewer", viewer), ("admin", admin)] {
            let caller = Caller::user(&[role], &[]);
            let answer = caller
                .call(&policy, "subscriptions/listen", listen(uris))
                .await;
            assert_eq!(answer.status(), status, "{role} {uris:?}");
        }
    }
    let hidden = json!({"notifications": {"ResourceSubscriptions": ["file:///etc/shadow"]}});
    let answer = Caller::user(&["admin"], &[])
        .call(&policy, "subscriptions/listen", hidden)
        .await;
    assert_eq!(answer.status(), 403);
    assert!(
        answer
            .denial()
            .reason()
            .contains("no rule covers `resources/subscribe`")
    );
    let unreadable = json!({"notifications": {"resourceSubscriptions": 7}});
    let admin = Caller::user(&["admin"], &[]);
    let answer = admin
        .call(&policy, "subscriptions/listen", unreadable)
        .await;
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn ta_5_escaped_names_are_judged_unescaped_and_case_counts() {
    let body = |name: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools\/c\u0061ll","params":{{"n\u0061me":"{name}"}}}}"#
        )
    };
    for (name, viewer, admin) in [
        (r"\u0064elete_note", 403, 200),
        (r"delete\u005fnote", 403, 200),
        (r"r\u0065ad_note", 200, 200),
        ("DELETE_note", 200, 200),
        ("Delete_Note", 403, 403),
        (r"delete_note\u0000", 400, 400),
        (r"delete_note\n", 403, 200),
        (" delete_note", 200, 200),
    ] {
        for (role, status) in [("viewer", viewer), ("admin", admin)] {
            let answer = Caller::user(&[role], &[])
                .ask(&notes(), raw(body(name)))
                .await;
            assert_eq!(answer.status(), status, "{role} {name}");
        }
    }
}

#[tokio::test]
async fn n_10_n_11_n_12_ta_4_alone_the_layer_reads_the_body_and_lying_headers_are_refused() {
    let admin = Caller::user(&["admin"], &[]);
    let with = |version: &str, headers: &[(&'static str, &'static str)]| {
        let mut request = post("tools/call", json!({"name": "delete_note"}));
        request
            .headers_mut()
            .insert("mcp-protocol-version", version.parse().unwrap());
        for (name, value) in headers {
            request
                .headers_mut()
                .append(*name, HeaderValue::from_static(value));
        }
        request
    };
    let truth = with(
        "2025-11-25",
        &[("mcp-method", "tools/call"), ("mcp-name", "delete_note")],
    );
    assert_eq!(admin.ask(&notes(), truth).await.status(), 200);
    for lie in [("mcp-name", "read_note"), ("mcp-method", "tools/list")] {
        for version in ["2025-03-26", "2025-11-25"] {
            let answer = admin.ask(&notes(), with(version, &[lie])).await;
            assert_eq!(
                (answer.status(), answer.reached),
                (StatusCode::BAD_REQUEST, 0),
                "{lie:?}"
            );
            assert_eq!(answer.denial().kind(), DenialKind::HeaderMismatch);
        }
    }
    for body in [
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"status","name":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"status","Name":"x"}}"#,
        "not json",
        "",
    ] {
        let answer = admin.ask(&notes(), raw(body)).await;
        assert_eq!(
            (answer.status(), answer.reached),
            (StatusCode::BAD_REQUEST, 0),
            "{body}"
        );
    }
}

#[tokio::test]
async fn n_12_headers_that_name_roles_decide_nothing() {
    let mut request = post("tools/call", json!({"name": "delete_note"}));
    for name in [
        "x-role",
        "x-user-roles",
        "mcp-param-role",
        "x-http-method-override",
    ] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static("admin"));
    }
    let answer = Caller::user(&["viewer"], &[]).ask(&notes(), request).await;
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn handlers_ask_the_policy_that_judged_and_a_second_policy_is_500() {
    let policy = notes();
    let handler = service_fn(|mut request: Request<_>| async move {
        let _: &RequestBody<RequestBody<Full<Bytes>>> = request.body();
        let context = SecurityContext::of(&mut request);
        let permissions = context.permissions().unwrap();
        let principal = context.principal().unwrap();
        assert!(permissions.has_role(principal, "viewer"));
        assert!(permissions.has_capability(principal, "reports:read"));
        assert!(!permissions.has_role(principal, "admin"));
        assert!(!permissions.has_capability(principal, "releases:deploy"));
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let request = || {
        let mut request = post("ping", json!({}));
        let context = SecurityContext::of(&mut request);
        let analyst = Caller::user(&["analyst"], &[]).principal.unwrap();
        context.set_principal(analyst).unwrap();
        request
    };
    let inner = RbacLayer::new(Arc::clone(&policy)).layer(handler);
    let twice = RbacLayer::new(Arc::clone(&policy)).layer(inner);
    assert_eq!(
        twice.clone().oneshot(request()).await.unwrap().status(),
        200
    );
    let contradicted = RbacLayer::new(notes()).layer(twice.into_inner());
    let answer = contradicted.oneshot(request()).await.unwrap();
    assert_eq!(answer.status(), 500);
}

#[test]
fn a_capability_that_nobody_declared_is_nobodys() {
    let policy = Policy::enterprise().build().unwrap();
    let admin = Principal::user("i", "ann").roles(["admin"]).build("jwt");
    assert!(policy.has_capability(&admin, "releases:deploy"));
    assert!(!policy.has_capability(&admin, "release:deploy"));
    assert!(!policy.has_capability(&admin, "*"));
}

#[test]
fn a_decision_tells_what_would_help() {
    let policy = notes();
    let viewer = Caller::user(&["viewer"], &[]).principal;
    let decide = |name| policy.decide(viewer.as_ref(), &Operation::tool(name));
    assert_eq!(decide("read_note"), Decision::Admitted);
    assert_eq!(decide("edit_note"), Decision::ScopeInsufficient);
    assert_eq!(decide("delete_note"), Decision::Forbidden);
    let nobody = Principal::anonymous();
    let decide = |op| policy.decide(Some(&nobody), &op);
    assert_eq!(
        decide(Operation::prompt("review_x")),
        Decision::CredentialsMissing
    );
    assert_eq!(
        decide(Operation::resource("file:///x")),
        Decision::Forbidden
    );
    assert_eq!(decide(Operation::method("ping")), Decision::Admitted);
}

#[test]
fn a_decision_allocates_nothing_among_a_thousand_rules() {
    let mut policy = Policy::builder();
    for n in 0..100 {
        let below = (n > 0).then(|| format!("role{}", n - 1));
        policy = policy.role(&format!("role{n}"), below.as_deref());
    }
    for n in 0..500 {
        policy = policy
            .rule(
                Rule::tool(&format!("tool_{n}"))
                    .role("role50")
                    .scope("tools"),
            )
            .rule(Rule::tool(&format!("group_{n}_*")).role("role50"));
    }
    let policy = policy.build().unwrap();
    let ann = Principal::user("i", "ann")
        .roles(["role99", "x"])
        .scopes(["a", "tools"]);
    let ann = ann.build("jwt");
    for name in ["tool_250", "group_250_x", "ungrouped"] {
        let mut admitted = false;
        let counted = allocation_counter::measure(|| {
            admitted = policy
                .decide(Some(&ann), &Operation::tool(name))
                .is_admitted();
        });
        assert_eq!(counted.count_total, 0, "{name}");
        assert_eq!(admitted, name != "ungrouped");
    }
}

#[tokio::test]
async fn iv_6_call_limits_are_those_that_were_set() {
    let limits = CallLimits::new().with_body_bytes(64).unwrap();
    let (service, mut handle) = tower_test::mock::spawn_layer::<
        Request<RequestBody<Full<Bytes>>>,
        Response<Full<Bytes>>,
        _,
    >(RbacLayer::new(notes()).call_limits(limits));
    handle.allow(1);
    let request = post("ping", json!({"padding": "x".repeat(64)}));
    let response = service.into_inner().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 413);
}

#[tokio::test]
async fn an_error_of_the_inner_service_passes_untouched() {
    let (service, mut handle) = tower_test::mock::spawn_layer::<
        Request<RequestBody<Full<Bytes>>>,
        Response<Full<Bytes>>,
        _,
    >(RbacLayer::new(notes()));
    let mut request = post("ping", json!({}));
    let context = SecurityContext::of(&mut request);
    context.set_principal(Principal::anonymous()).unwrap();
    let answering = async {
        let (request, answer) = handle.next_request().await.unwrap();
        let sent = request.into_body().collect().await.unwrap().to_bytes();
        assert!(sent.starts_with(b"{"), "the body goes on");
        answer.send_error("down");
    };
    let (response, ()) = tokio::join!(service.into_inner().oneshot(request), answering);
    assert_eq!(response.unwrap_err().to_string(), "down");
}
