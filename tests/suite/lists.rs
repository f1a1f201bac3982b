//! Lists of a real rmcp server, as principals see them: every list, page by page, and while they stream.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body};
use bartizan::{
    Principal, RbacLayer, identify,
    rbac::{Policy, Rule},
};
use bartizan_kit::{McpRequest, Revision, call_tool, get_stream, initialize, post};
use http::{Request, Response};
use http_body_util::BodyExt;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, ListPromptsResult,
        ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
        ProgressNotificationParam, Prompt, Resource, ResourceTemplate, ServerCapabilities,
        ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tower::{ServiceExt, util::MapRequestLayer};

use crate::server::Mode;

/// Has five tools on three pages, and waits before a list if somebody wants to hear of its progress.
#[derive(Clone, Default)]
struct Shop {
    go_on: Arc<Notify>,
}

const PAGES: [&[&str]; 3] = [
    &["read_a", "delete_b"],
    &["delete_c", "delete_d"],
    &["read_e"],
];

impl ServerHandler for Shop {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts();
        ServerConfig::new(capabilities.build())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if let Some(token) = context.meta.get_progress_token() {
            let progress = ProgressNotificationParam::new(token, 1.0);
            let _ = context.peer.notify_progress(progress).await;
            self.go_on.notified().await;
        }
        let cursor = request.and_then(|request| request.cursor);
        let page = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let tool = |name: &&'static str| Tool::new(*name, "", Map::new());
        let mut list = ListToolsResult::with_all_items(PAGES[page].iter().map(tool).collect())
            .with_cache_scope(CacheScope::Public)
            .with_ttl_ms(1000);
        list.next_cursor = (page < 2).then(|| (page + 1).to_string());
        Ok(list)
    }

    /// Nobody waits for it.
    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        std::future::pending().await
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompts = ["ask", "tell"].map(|name| Prompt::new(name, Some(""), None));
        Ok(ListPromptsResult::with_all_items(prompts.into()))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let uris = ["file:///public/a", "file:///secret/b"];
        let resources = uris.map(|uri| Resource::new(uri, "x"));
        Ok(ListResourcesResult::with_all_items(resources.into()))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let uris = ["file:///public/{name}", "file:///secret/{name}"];
        let templates = uris.map(|uri| ResourceTemplate::new(uri, "x"));
        Ok(ListResourceTemplatesResult::with_all_items(
            templates.into(),
        ))
    }
}

fn app(mode: Mode, role: &'static str, shop: &Shop) -> Router {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(mode == Mode::Sessions)
        .with_json_response(mode == Mode::Json)
        .with_sse_keep_alive(None);
    let shop = shop.clone();
    let manager = LocalSessionManager::default();
    let mcp = StreamableHttpService::new(move || Ok(shop.clone()), manager.into(), config);
    let policy = Policy::builder()
        .role("viewer", [])
        .role("admin", ["viewer"])
        .rule(Rule::tool("*").role("viewer"))
        .rule(Rule::tool("delete_*").role("admin"))
        .rule(Rule::prompt("*").role("viewer"))
        .rule(Rule::prompt("tell").role("admin"))
        .rule(Rule::resource("file:///**").role("viewer"))
        .rule(Rule::resource("file:///secret/**").role("admin"));
    let identified = MapRequestLayer::new(move |mut request: Request<Body>| {
        let ann = Principal::user("https://auth.example.com", "ann").roles([role]);
        identify(&mut request, ann.build("test")).unwrap();
        request
    });
    Router::new()
        .nest_service("/mcp", mcp)
        .route_layer(RbacLayer::new(policy.build().unwrap()))
        .route_layer(identified)
}

async fn send(app: &Router, request: McpRequest) -> Response<Body> {
    let request = request.host("localhost").build_axum();
    app.clone().oneshot(request).await.unwrap()
}

/// The last message of an answer.
async fn message(answer: Response<Body>) -> Value {
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&body).unwrap();
    let mut data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let message = data.next_back().unwrap_or(text);
    serde_json::from_str(message).unwrap_or_else(|_| panic!("{text}"))
}

fn names(message: &Value, member: &str, key: &str) -> Vec<String> {
    let list = message["result"][member].as_array();
    let list = list.unwrap_or_else(|| panic!("{message}"));
    let name = |element: &Value| element[key].as_str().unwrap().to_owned();
    list.iter().map(name).collect()
}

#[tokio::test]
async fn ta_2_n_14_a_list_is_filtered_page_by_page_and_private_on_each() {
    for (mode, revision) in [
        (Mode::Json, Revision::V2026_07_28),
        (Mode::Streams, Revision::V2026_07_28),
        (Mode::Json, Revision::V2025_11_25),
        (Mode::Streams, Revision::V2025_11_25),
    ] {
        for (role, expected) in [
            ("admin", PAGES),
            ("viewer", [&["read_a"][..], &[], &["read_e"]]),
            ("nobody", [&[], &[], &[]]),
        ] {
            let app = app(mode, role, &Shop::default());
            let mut cursor = Value::Null;
            for (page, expected) in expected.iter().enumerate() {
                let params = match &cursor {
                    Value::Null => json!({}),
                    cursor => json!({"cursor": cursor}),
                };
                let answer = send(&app, post(revision, "tools/list", params)).await;
                let message = message(answer).await;
                assert_eq!(
                    names(&message, "tools", "name"),
                    *expected,
                    "{mode:?} {role}"
                );
                let scope = &message["result"]["cacheScope"];
                assert!(scope.is_null() || scope == "private", "{message}");
                assert!(!scope.is_null() || revision == Revision::V2025_11_25);
                cursor = message["result"]["nextCursor"].clone();
                assert_eq!(cursor.is_null(), page == 2, "{message}");
            }
        }
    }
}

#[tokio::test]
async fn ta_2_resources_templates_and_prompts_are_filtered_too() {
    for mode in [Mode::Json, Mode::Streams] {
        for (method, member, key, open, closed) in [
            ("prompts/list", "prompts", "name", "ask", "tell"),
            (
                "resources/list",
                "resources",
                "uri",
                "file:///public/a",
                "file:///secret/b",
            ),
            (
                "resources/templates/list",
                "resourceTemplates",
                "uriTemplate",
                "file:///public/{name}",
                "file:///secret/{name}",
            ),
        ] {
            for (role, expected) in [("admin", &[open, closed][..]), ("viewer", &[open])] {
                let app = app(mode, role, &Shop::default());
                let request = post(Revision::V2026_07_28, method, json!({}));
                let message = message(send(&app, request).await).await;
                assert_eq!(names(&message, member, key), expected, "{mode:?} {method}");
                assert_eq!(message["result"]["cacheScope"], "private");
            }
        }
    }
}

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn ph_4_what_comes_before_a_list_arrives_before_it() {
    let shop = Shop::default();
    let app = app(Mode::Streams, "viewer", &shop);
    let request = post(Revision::V2025_11_25, "tools/list", json!({})).meta("progressToken", "p");
    let answer = send(&app, request).await;
    let mut body = answer.into_body();
    let mut seen = String::new();
    while !seen.contains("notifications/progress") {
        let frame = tokio::time::timeout(SOON, body.frame()).await.unwrap();
        let data = frame.unwrap().unwrap().into_data().unwrap();
        seen.push_str(std::str::from_utf8(&data).unwrap());
    }
    assert!(!seen.contains("read_a"));
    shop.go_on.notify_one();
    let rest = body.collect().await.unwrap().to_bytes();
    let rest = std::str::from_utf8(&rest).unwrap();
    assert!(
        rest.contains("read_a") && !rest.contains("delete_b"),
        "{rest}"
    );
}

async fn begin_session(app: &Router, revision: Revision) -> String {
    let hello = send(app, initialize(revision)).await;
    let session = hello.headers()["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    hello.into_body().collect().await.unwrap();
    let ready = post(revision, "notifications/initialized", json!({})).notification();
    let ready = send(app, ready.session(&session)).await;
    assert_eq!(ready.status(), 202);
    session
}

/// rmcp finds the stream of an answer by the request's id, and the last one of an id gets it.
#[tokio::test]
async fn ta_2_a_list_that_a_reused_id_brings_on_another_calls_stream_is_filtered() {
    let shop = Shop::default();
    let app = app(Mode::Sessions, "viewer", &shop);
    let revision = Revision::V2025_11_25;
    let session = begin_session(&app, revision).await;
    let list = post(revision, "tools/list", json!({})).meta("progressToken", "p");
    let _list = send(&app, list.id(7).session(&session)).await;
    let call = call_tool(revision, "read_a", json!({})).id(7);
    let answer = send(&app, call.session(&session)).await;
    assert_eq!(answer.status(), 200);
    shop.go_on.notify_one();
    let mut body = answer.into_body();
    let mut seen = String::new();
    while !seen.contains("read_a") {
        let frame = tokio::time::timeout(SOON, body.frame()).await.unwrap();
        let data = frame.unwrap().unwrap().into_data().unwrap();
        seen.push_str(std::str::from_utf8(&data).unwrap());
    }
    assert!(!seen.contains("delete_b"), "{seen}");
}

/// A client that lost the stream of its `POST` gets the rest of it by a `GET`.
#[tokio::test]
async fn ta_2_a_list_that_a_resumed_stream_brings_is_filtered() {
    let shop = Shop::default();
    let app = app(Mode::Sessions, "viewer", &shop);
    let revision = Revision::V2025_11_25;
    let session = begin_session(&app, revision).await;

    let request = post(revision, "tools/list", json!({})).meta("progressToken", "p");
    let answer = send(&app, request.header("mcp-session-id", &session)).await;
    let mut body = answer.into_body();
    let mut seen = String::new();
    while !seen.contains("notifications/progress") || !seen.ends_with("\n\n") {
        let frame = tokio::time::timeout(SOON, body.frame()).await.unwrap();
        let data = frame.unwrap().unwrap().into_data().unwrap();
        seen.push_str(std::str::from_utf8(&data).unwrap());
    }
    let mut ids = seen.lines().filter_map(|line| line.strip_prefix("id:"));
    let last = ids.next_back().unwrap().trim().to_owned();
    drop(body);

    let again = get_stream(revision).header("mcp-session-id", &session);
    let answer = send(&app, again.header("last-event-id", &last)).await;
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    shop.go_on.notify_one();
    let mut seen = String::new();
    while !seen.contains("read_a") {
        let frame = tokio::time::timeout(SOON, body.frame()).await.unwrap();
        let data = frame.unwrap().unwrap().into_data().unwrap();
        seen.push_str(std::str::from_utf8(&data).unwrap());
    }
    assert!(!seen.contains("delete_b"), "{seen}");
}
