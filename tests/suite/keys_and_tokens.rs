//! API keys beside tokens, behind the record and in front of the policy.

use std::{convert::Infallible, sync::Arc};

use bartizan::{
    ApiKeys, AuditLayer, AuthLayer, Permissions, RateLimitLayer, RbacLayer, Secret,
    SecurityContext,
    apikey::{IssuedKey, KeyForm, KeyGrant, MemoryStore, Peppers},
    audit::Records,
    ratelimit::{Quota, RateLimits},
    rbac::{Policy, Rule},
};
use bartizan_kit::{McpRequest, Revision, TokenMint, call_tool};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::mtls::{ISSUER, RESOURCE, tokens};

struct Stack {
    keys: ApiKeys,
    mint: TokenMint,
    records: Records,
    limits: RateLimits,
    policy: Arc<Policy>,
}

impl Stack {
    fn new() -> Self {
        let form = KeyForm::new("acme", ["live"]).unwrap();
        let peppers = Peppers::new(1, Secret::from(vec![7; 32])).unwrap();
        let keys = ApiKeys::builder(form, peppers, MemoryStore::new());
        let plenty = Quota::per_minute(1_000_000).unwrap();
        let policy = Policy::builder()
            .role("reader", [])
            .role("admin", [])
            .grant("admin", ["notes:read", "notes:write"])
            .rule(Rule::tool("list_notes").role("reader"))
            .rule(Rule::tool("read_note").capability("notes:read"))
            .rule(Rule::tool("write_note").capability("notes:write"));
        Self {
            keys: keys.build().unwrap(),
            mint: TokenMint::new(ISSUER, RESOURCE),
            records: Records::new(),
            limits: RateLimits::builder().account(plenty).build().unwrap(),
            policy: Arc::new(policy.build().unwrap()),
        }
    }

    async fn issue(&self, change: impl FnOnce(KeyGrant) -> KeyGrant) -> IssuedKey {
        let grant = KeyGrant::service("ci", "live").roles(["reader"]);
        self.keys.issue(change(grant)).await.unwrap()
    }

    /// The status, who called, whether a handler is told that it may write notes, and the headers.
    async fn send(&self, request: McpRequest) -> Response<String> {
        let inner = service_fn(|mut request: Request<_>| async move {
            let context = SecurityContext::of(&mut request);
            let principal = context.principal().unwrap();
            let may =
                |policy: &Arc<dyn Permissions>| policy.has_capability(principal, "notes:write");
            let told = format!(
                "{} {} {}",
                principal.method(),
                principal.subject(),
                context.permissions().is_some_and(may)
            );
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(told)))
        });
        let policed = RbacLayer::new(Arc::clone(&self.policy)).layer(inner);
        let limited = RateLimitLayer::new(self.limits.clone()).layer(policed);
        let jwt = tokens(&self.mint, |builder| builder);
        let auth = AuthLayer::new(self.keys.verifier()).or(jwt).layer(limited);
        let recorded = AuditLayer::new(self.records.clone()).layer(auth);
        let answer = recorded.oneshot(request.build()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = http_body_util::BodyExt::collect(body).await.unwrap();
        let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
        Response::from_parts(parts, text)
    }

    fn last_record(&self) -> Value {
        self.records.all().pop().unwrap()
    }
}

fn tool(name: &str) -> McpRequest {
    call_tool(Revision::V2026_07_28, name, json!({}))
}

fn reason(record: &Value, verdict: &str) -> String {
    let findings = record["findings"].as_array().unwrap();
    let finding = findings.iter().find(|f| f["verdict"] == verdict);
    finding.unwrap()["reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn al_4_each_use_of_a_key_is_recorded_with_its_id_and_each_failure_with_its_reason() {
    let stack = Stack::new();
    let (good, revoked) = (
        stack.issue(|grant| grant).await,
        stack.issue(|grant| grant).await,
    );
    let id = |key: &IssuedKey| key.record().id.to_string();
    let used = stack
        .send(tool("list_notes").header("x-api-key", good.text()))
        .await;
    assert_eq!(used.status(), 200);
    let record = stack.last_record();
    assert_eq!(record["event_type"], "tool_call");
    assert_eq!(record["result"], "success");
    assert_eq!(record["user_id"], "ci");
    assert_eq!(record["user_role"], json!(["reader"]));
    assert_eq!(record["metadata"]["auth_method"], "apikey");
    assert_eq!(record["metadata"]["issuer"], "apikey:acme");
    assert_eq!(record["metadata"]["credential_id"], id(&good));

    let forbidden = stack
        .send(tool("write_note").header("x-api-key", good.text()))
        .await;
    assert_eq!(forbidden.status(), 403);
    let record = stack.last_record();
    assert_eq!(record["event_type"], "authorization_denied");
    assert_eq!(record["metadata"]["credential_id"], id(&good));

    stack
        .keys
        .revoke(revoked.record().id, "left")
        .await
        .unwrap();
    let unknown = Stack::new().issue(|grant| grant).await;
    let wrong = format!(
        "{}aaaaaaa",
        good.text().strip_suffix(&good.text()[79..]).unwrap()
    );
    let mut answers = Vec::new();
    // Each of them twice: asked about, and from memory.
    for (text, because, named) in [
        (revoked.text(), "revoked", Some(id(&revoked))),
        (unknown.text(), "there is no such key", Some(id(&unknown))),
        (&*wrong, "the key's checksum is wrong", None),
        ("acme_live_x", "the key has not the form of one", None),
    ] {
        for _ in 0..2 {
            let answer = stack
                .send(tool("list_notes").header("x-api-key", text))
                .await;
            assert_eq!(answer.status(), 401);
            let record = stack.last_record();
            assert_eq!(record["event_type"], "authentication_failure");
            assert_eq!(record["result"], "failure");
            assert!(reason(&record, "refused").contains(because), "{record}");
            assert_eq!(record["user_id"], Value::Null);
            let of_key = named.as_ref().map(|id| format!("key `{id}`"));
            let noted = record["findings"].as_array().unwrap().iter();
            let noted: Vec<_> = noted.filter(|f| f["kind"] == "key_refused").collect();
            assert_eq!(noted.len(), usize::from(of_key.is_some()), "{record}");
            if let Some(of_key) = of_key {
                assert_eq!(reason(&record, "noted"), of_key);
            }
            for secret in [text.get(27..79), Some("acme_live")].into_iter().flatten() {
                assert!(!record.to_string().contains(secret), "{record}");
            }
            let mut headers = answer.headers().clone();
            headers.remove("x-request-id");
            let body: Value = serde_json::from_str(answer.body()).unwrap();
            answers.push((
                headers,
                body["error"]["code"].clone(),
                body["error"]["message"].clone(),
            ));
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "AC-15: all are told the same");
}

#[tokio::test]
async fn ac_1_keys_and_tokens_stand_on_one_endpoint_and_each_is_judged_by_its_own() {
    let stack = Stack::new();
    let key = stack.issue(|grant| grant).await;
    let token = stack
        .mint
        .token()
        .claim("roles", json!(["reader"]))
        .encode();
    let tool = || tool("list_notes");
    for (request, who) in [
        (tool().header("x-api-key", key.text()), "apikey ci false"),
        (tool().bearer(key.text()), "apikey ci false"),
        (tool().bearer(&token), "jwt ann false"),
    ] {
        let answer = stack.send(request).await;
        assert_eq!((answer.status().as_u16(), &**answer.body()), (200, who));
    }
    let both = tool().bearer(&token).header("x-api-key", key.text());
    assert_eq!(stack.send(both).await.status(), 400, "AC-6");
    stack.keys.revoke(key.record().id, "left").await.unwrap();
    for request in [
        tool(),
        tool().bearer(key.text()),
        tool().bearer("abc"),
        tool().header("x-api-key", key.text()),
    ] {
        let answer = stack.send(request).await;
        assert_eq!(answer.status(), 401);
        let first = answer.headers().get("www-authenticate").unwrap();
        let first = first.to_str().unwrap();
        assert!(first.starts_with("Bearer "), "AC-12: {first}");
    }
}

#[tokio::test]
async fn what_a_key_grants_itself_and_how_often_holds_through_the_stack() {
    let stack = Stack::new();
    let writer = stack
        .issue(|grant| grant.capabilities(["notes:*"]).rate(6, 2))
        .await;
    let all = stack
        .issue(|grant| grant.roles([""; 0]).capabilities(["*"]))
        .await;
    let send = async |tool_name: &str, key: &IssuedKey| {
        stack
            .send(tool(tool_name).header("x-api-key", key.text()))
            .await
    };
    let wrote = send("write_note", &writer).await;
    assert_eq!(
        (wrote.status().as_u16(), &**wrote.body()),
        (200, "apikey ci true")
    );
    assert_eq!(wrote.headers()["ratelimit"], r#""credential";r=1;t=10"#);
    assert_eq!(send("read_note", &writer).await.status(), 200);
    let slowed = send("read_note", &writer).await;
    assert_eq!(slowed.status(), 429);
    assert_eq!(slowed.headers()["retry-after"], "10");
    let record = stack.last_record();
    assert_eq!(record["event_type"], "rate_limited");
    assert_eq!(
        record["metadata"]["credential_id"],
        writer.record().id.to_string()
    );
    // A record does not hold what a key grants itself, so a replay can't tell; nor does it tell wrong.
    let log = stack.records.lines().join("\n");
    let replayed = stack.policy.replay(log.as_bytes()).unwrap();
    assert!(
        replayed.differences.is_empty(),
        "{:?}",
        replayed.differences
    );
    assert!(!replayed.is_complete());
    // A capability is no role, and of one key nothing passes to another.
    assert_eq!(send("read_note", &all).await.status(), 200);
    assert_eq!(send("list_notes", &all).await.status(), 403);
}
