//! Policies in Cedar in front of a real rmcp server: what is called, and what is shown.

use axum::{Router, body::Body};
use bartizan::{
    Principal, RbacLayer, identify,
    rbac::{CEDAR_BASELINE, CedarEngine, Policy},
};
use bartizan_kit::{McpRequest, Revision, call_tool, initialize, post};
use http::{Request, Response};
use http_body_util::BodyExt;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Map, Value, json};
use tower::{ServiceExt, util::MapRequestLayer};

use crate::server::Mode;

#[derive(Clone)]
struct Bank;

impl ServerHandler for Bank {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = ["balance", "transfer", "close"].map(|name| Tool::new(name, "", Map::new()));
        Ok(ListToolsResult::with_all_items(tools.into()))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let done = ContentBlock::text(format!("done: {}", call.name));
        Ok(CallToolResult::success(vec![done]).into())
    }
}

const POLICIES: &str = r#"
    @id("clerks")
    permit (principal in Mcp::Role::"clerk", action == Mcp::Action::"tools/call", resource);

    @id("large")
    forbid (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"transfer")
    when { context.arguments has transfer && context.arguments.transfer.amount > 1000 };

    @id("close")
    forbid (principal, action, resource == Mcp::Tool::"close")
    unless { principal is Mcp::User && principal has tenant && principal.tenant == "head office" };
"#;

fn app(mode: Mode, role: &'static str) -> Router {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(mode == Mode::Sessions)
        .with_json_response(mode == Mode::Json)
        .with_sse_keep_alive(None);
    let manager = LocalSessionManager::default();
    let mcp = StreamableHttpService::new(|| Ok(Bank), manager.into(), config);
    let cedar = CedarEngine::builder()
        .policies(CEDAR_BASELINE)
        .policies(POLICIES)
        .tool_arguments("transfer", "amount: Long")
        .build()
        .unwrap();
    let policy = Policy::builder().delegate().engine(cedar).build().unwrap();
    let identified = MapRequestLayer::new(move |mut request: Request<Body>| {
        let ann = Principal::user("https://auth.example.com", "ann").roles([role]);
        identify(&mut request, ann.build("test")).unwrap();
        request
    });
    Router::new()
        .nest_service("/mcp", mcp)
        .route_layer(RbacLayer::new(policy))
        .route_layer(identified)
}

async fn send(app: &Router, request: McpRequest) -> Response<Body> {
    let request = request.host("localhost").build_axum();
    app.clone().oneshot(request).await.unwrap()
}

async fn text(answer: Response<Body>) -> String {
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn cedar_decides_by_roles_and_arguments_before_the_server_is_called() {
    for (mode, revision) in [
        (Mode::Json, Revision::V2026_07_28),
        (Mode::Streams, Revision::V2025_11_25),
    ] {
        let clerk = app(mode, "clerk");
        assert_eq!(
            send(&clerk, initialize(Revision::V2025_11_25))
                .await
                .status(),
            200
        );
        for (tool, arguments, expected) in [
            ("balance", json!({}), 200),
            ("transfer", json!({"amount": 1000, "to": "bob"}), 200),
            ("transfer", json!({"amount": 1001, "to": "bob"}), 403),
            ("transfer", json!({"amount": "1", "to": "bob"}), 403),
            ("transfer", json!({"amount": 1, "Amount": 5000}), 403),
            ("transfer", json!({"to": "bob"}), 403),
            ("close", json!({}), 403),
        ] {
            let answer = send(&clerk, call_tool(revision, tool, arguments.clone())).await;
            assert_eq!(answer.status(), expected, "{tool} {arguments}");
            let text = text(answer).await;
            assert_eq!(text.contains("done"), expected == 200, "{text}");
            assert_eq!(text.contains("not permitted"), expected == 403, "{text}");
        }
        let other = app(mode, "other");
        let answer = send(&other, call_tool(revision, "balance", json!({}))).await;
        assert_eq!(answer.status(), 403);
    }
}

#[tokio::test]
async fn ta_2_a_list_shows_what_cedar_would_let_be_called() {
    for mode in [Mode::Json, Mode::Streams] {
        for (role, expected) in [("clerk", &["balance", "transfer"][..]), ("other", &[])] {
            let request = post(Revision::V2025_11_25, "tools/list", json!({}));
            let text = text(send(&app(mode, role), request).await).await;
            let mut data = text.lines().filter_map(|line| line.strip_prefix("data:"));
            let message: Value = serde_json::from_str(data.next_back().unwrap_or(&text)).unwrap();
            let tools = message["result"]["tools"].as_array().unwrap();
            let names: Vec<_> = tools
                .iter()
                .map(|tool| tool["name"].as_str().unwrap())
                .collect();
            assert_eq!(names, expected, "{mode:?} {role}");
        }
    }
}
