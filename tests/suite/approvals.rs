//! A call that a second principal approves, at a real rmcp server, over sockets.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::Router;
use bartizan::{
    AuditLayer, CallLayer, JwtLayer, JwtVerifier, RbacLayer, SecurityHeadersLayer,
    audit::Records,
    rbac::{ApprovalService, Approvals, Grant, Grants, Policy, Rule},
};
use bartizan_kit::Issuer;
use reqwest::{Client, Method, Response};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

/// Counts what it was told to delete.
#[derive(Clone, Default)]
struct Shredder(Arc<AtomicUsize>);

impl ServerHandler for Shredder {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(CallToolResult::success(Vec::new()).into())
    }
}

struct Server {
    origin: String,
    issuer: Issuer,
    shredder: Shredder,
    grants: Grants,
    records: Records,
}

impl Server {
    async fn start() -> Self {
        let issuer = Issuer::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let jwt = JwtVerifier::builder()
            .issuer(issuer.url())
            .audience(format!("{origin}/mcp"))
            .build()
            .unwrap();
        let policy = Policy::enterprise().rule(Rule::tool("delete_*").role("admin").approval());
        let (approvals, grants, records) = (Approvals::new(), Grants::new(), Records::new());
        let rbac = RbacLayer::new(policy.build().unwrap())
            .grants(grants.clone())
            .and_then(|layer| layer.approvals(approvals.clone()))
            .unwrap();
        let shredder = Shredder::default();
        let service = shredder.clone();
        let mcp = StreamableHttpService::new(
            move || Ok(service.clone()),
            LocalSessionManager::default().into(),
            StreamableHttpServerConfig::default()
                .with_legacy_session_mode(false)
                .with_json_response(true),
        );
        let guards = ServiceBuilder::new()
            .layer(JwtLayer::new(jwt.clone()))
            .layer(CallLayer::new())
            .layer(rbac);
        let approvers = ApprovalService::new(approvals);
        let approvers = Router::new()
            .route_service("/approvals", approvers.clone())
            .route_service("/approvals/{id}", approvers)
            .route_layer(JwtLayer::new(jwt));
        let around = ServiceBuilder::new()
            .layer(SecurityHeadersLayer::mcp())
            .layer(AuditLayer::new(records.clone()));
        let app = Router::new()
            .nest_service("/mcp", mcp)
            .route_layer(guards)
            .merge(approvers)
            .layer(around);
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            origin,
            issuer,
            shredder,
            grants,
            records,
        }
    }

    async fn send(
        &self,
        (subject, role): (&str, &str),
        method: Method,
        path: &str,
        body: &Value,
    ) -> Response {
        let token = self.issuer.mint().token().sub(subject);
        let token = token.aud(format!("{}/mcp", self.origin).as_str());
        let token = token.claim("roles", json!([role])).encode();
        let request = Client::new().request(method, format!("{}{path}", self.origin));
        let request = request
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-11-25")
            .bearer_auth(token);
        request.json(body).send().await.unwrap()
    }

    async fn delete(&self, who: (&str, &str), id: u32) -> (u16, Value) {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "delete_note", "arguments": {"id": id}}});
        let answer = self.send(who, Method::POST, "/mcp", &call).await;
        assert!(!answer.headers().contains_key("www-authenticate"), "SC-5");
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn waiting(&self, who: (&str, &str)) -> Vec<Value> {
        let answer = self
            .send(who, Method::GET, "/approvals", &Value::Null)
            .await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let list: Value = answer.json().await.unwrap();
        list["approvals"].as_array().unwrap().clone()
    }

    async fn approve(&self, who: (&str, &str), id: &str) -> u16 {
        let path = format!("/approvals/{id}");
        let body = json!({"decision": "approve"});
        let answer = self.send(who, Method::POST, &path, &body).await;
        answer.status().as_u16()
    }

    fn deleted(&self) -> usize {
        self.shredder.0.load(Ordering::SeqCst)
    }
}

const ANN: (&str, &str) = ("ann", "admin");
const BOB: (&str, &str) = ("bob", "admin");
const VERA: (&str, &str) = ("vera", "viewer");

#[tokio::test]
async fn sc_5_an_admin_asks_another_approves_and_the_call_runs_once() {
    let server = Server::start().await;
    assert_eq!(server.delete(VERA, 7).await.0, 403);
    assert!(server.waiting(BOB).await.is_empty(), "a viewer asks nobody");

    let (status, body) = server.delete(ANN, 7).await;
    assert_eq!(status, 403);
    assert_eq!(body["error"]["message"], "approval needed");
    let id = body["error"]["data"]["approval"]["id"].as_str().unwrap();

    // Neither she herself nor a viewer sees or decides it.
    for who in [ANN, VERA] {
        assert!(server.waiting(who).await.is_empty(), "{who:?}");
        assert_eq!(server.approve(who, id).await, 404, "{who:?}");
    }
    let waiting = server.waiting(BOB).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (&waiting[0]["id"], &waiting[0]["asker"]["subject"]),
        (&json!(id), &json!("ann"))
    );
    assert_eq!(
        waiting[0]["params"],
        json!({"name": "delete_note", "arguments": {"id": 7}})
    );
    assert_eq!(server.approve(BOB, id).await, 200);
    assert_eq!(server.approve(BOB, id).await, 404, "it is decided");

    assert_eq!(server.delete(ANN, 8).await.0, 403, "another note");
    assert_eq!(server.delete(BOB, 7).await.0, 403, "another party");
    assert_eq!(server.deleted(), 0);
    let (status, body) = server.delete(ANN, 7).await;
    assert_eq!((status, body["result"].is_object()), (200, true));
    let (status, again) = server.delete(ANN, 7).await;
    assert_eq!(status, 403);
    assert_ne!(again["error"]["data"]["approval"]["id"], json!(id));
    assert_eq!(server.deleted(), 1);
    assert_recorded(&server.records.all(), id);
}

fn assert_recorded(records: &[Value], id: &str) {
    let reasons = |kind: &str| {
        let findings = records
            .iter()
            .flat_map(|r| r["findings"].as_array().unwrap());
        let of_kind =
            findings.filter(|finding| finding["layer"] == "rbac" && finding["kind"] == kind);
        let reasons = of_kind.map(|finding| finding["reason"].as_str().unwrap().to_owned());
        reasons
            .filter(|reason| reason.contains(id))
            .collect::<Vec<_>>()
    };
    assert_eq!(reasons("approval_needed").len(), 1);
    assert_eq!(
        reasons("approval_decided"),
        [format!("approve of approval `{id}`")]
    );
    let passed = reasons("permitted");
    assert_eq!(passed.len(), 1);
    assert!(passed[0].contains("of `bob of "), "{passed:?}");
    // What is asked for stays out of records.
    assert!(!json!(records).to_string().contains("arguments\\\""));
}

#[tokio::test]
async fn of_many_that_are_sent_at_once_the_tool_runs_once() {
    let server = Arc::new(Server::start().await);
    let (_, body) = server.delete(ANN, 7).await;
    let id = body["error"]["data"]["approval"]["id"].as_str().unwrap();
    assert_eq!(server.approve(BOB, id).await, 200);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let server = Arc::clone(&server);
            tokio::spawn(async move { server.delete(ANN, 7).await.0 })
        })
        .collect();
    let mut passed = 0;
    for call in calls {
        passed += usize::from(call.await.unwrap() == 200);
    }
    assert_eq!((passed, server.deleted()), (1, 1));
}

#[tokio::test]
async fn who_is_granted_a_role_asks_for_approval_like_anybody_who_has_it() {
    let server = Server::start().await;
    assert_eq!(
        server.delete(VERA, 7).await.1["error"]["message"],
        "not permitted"
    );
    let grant = Grant::to(server.issuer.url(), "vera")
        .roles(["admin"])
        .reason("INC-42");
    let grant = grant.lasting(Duration::from_secs(60)).by("the desk");
    let granted = server.grants.give(grant).unwrap();
    let (_, body) = server.delete(VERA, 7).await;
    let id = body["error"]["data"]["approval"]["id"].as_str().unwrap();
    assert_eq!(server.approve(BOB, id).await, 200);
    assert_eq!(server.delete(VERA, 7).await.0, 200);
    let record = server.records.all().pop().unwrap();
    let findings = record["findings"].to_string();
    for named in [id, &granted.to_string(), "INC-42"] {
        assert!(findings.contains(named), "{named} in {findings}");
    }
    server.grants.revoke(&granted, "the desk");
    assert_eq!(
        server.delete(VERA, 7).await.1["error"]["message"],
        "not permitted"
    );
}
