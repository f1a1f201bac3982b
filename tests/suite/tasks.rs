//! rmcp's tasks: as it has them, anybody's who knows the id; behind `TaskOwnerLayer`, their owner's.

use axum::Router;
use bartizan::{CallLayer, JwtLayer, JwtVerifier, session::TaskOwnerLayer};
use bartizan_kit::{McpRequest, Revision, TokenMint, call_tool, post};
use http_body_util::BodyExt;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, ContentBlock,
        CreateTaskResult, GetTaskParams, GetTaskResult, ServerCapabilities, ServerConfig,
        UpdateTaskParams,
    },
    service::RequestContext,
    task_manager::{TaskManager, TaskOptions},
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt};

const REVISION: Revision = Revision::V2026_07_28;

/// A server with tasks behind authentication, and what mints its tokens.
struct Server {
    app: Router,
    mint: TokenMint,
}

impl Server {
    fn start(layer: Option<TaskOwnerLayer>, json: bool) -> Self {
        let mint = TokenMint::new("https://auth.example.com", "https://mcp.example.com/mcp");
        let jwt = JwtVerifier::builder()
            .issuer(mint.issuer())
            .audience(mint.audience())
            .jwk_set(mint.jwks().to_string())
            .build()
            .unwrap();
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(json)
            .with_sse_keep_alive(None);
        let tools = Tools::default();
        let manager = LocalSessionManager::default();
        let mcp = StreamableHttpService::new(move || Ok(tools.clone()), manager.into(), config);
        let auth = JwtLayer::new(jwt);
        let app = Router::new().nest_service("/mcp", mcp);
        let app = match layer {
            Some(layer) => {
                let guards = ServiceBuilder::new().layer(auth).layer(CallLayer::new());
                app.route_layer(guards.layer(layer))
            }
            None => app.route_layer(auth),
        };
        Self { app, mint }
    }

    /// The status and the message that answers.
    async fn ask(&self, who: &str, request: McpRequest) -> (u16, Value) {
        let token = self.mint.token().sub(who).encode();
        let capabilities = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
        let request = request
            .meta("io.modelcontextprotocol/clientCapabilities", capabilities)
            .bearer(token)
            .host("localhost")
            .build_axum();
        let answer = self.app.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&body).unwrap();
        let mut data = text.lines().filter_map(|line| line.strip_prefix("data:"));
        let message = data.next_back().unwrap_or(text);
        let message = serde_json::from_str(message);
        (
            status,
            message.unwrap_or_else(|_| panic!("{status}: {text}")),
        )
    }

    async fn begin(&self, who: &str) -> String {
        let (_, begun) = self.ask(who, call_tool(REVISION, "slow", json!({}))).await;
        let id = &begun["result"]["taskId"];
        id.as_str().unwrap_or_else(|| panic!("{begun}")).to_owned()
    }
}

fn about(method: &str, task: &str) -> McpRequest {
    let params = match method {
        "tasks/update" => json!({"taskId": task, "inputResponses": {}}),
        _ => json!({"taskId": task}),
    };
    post(REVISION, method, params).header("mcp-name", task)
}

#[tokio::test]
async fn rmcp_alone_shows_a_task_to_a_second_user_and_lets_it_cancel_it() {
    for json in [true, false] {
        let server = Server::start(None, json);
        let task = server.begin("ann").await;
        let (_, seen) = server.ask("bob", about("tasks/get", &task)).await;
        assert_eq!(seen["result"]["taskId"], *task, "{seen}");
        let (_, cancelled) = server.ask("bob", about("tasks/cancel", &task)).await;
        assert_eq!(cancelled["result"]["resultType"], "complete", "{cancelled}");
    }
}

#[tokio::test]
async fn ta_9_behind_the_layer_the_task_of_another_is_as_unknown_as_none() {
    for json in [true, false] {
        let server = Server::start(Some(TaskOwnerLayer::in_memory()), json);
        let task = server.begin("ann").await;
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let foreign = server.ask("bob", about(method, &task).id(1)).await;
            let unknown = server.ask("bob", about(method, "no-such-task").id(1)).await;
            assert_eq!(foreign, unknown, "{method}");
            assert_eq!(foreign.0, 400);
            assert_eq!(foreign.1["error"]["code"], -32602);
        }
        let (status, own) = server.ask("ann", about("tasks/get", &task)).await;
        assert_eq!(
            (status, &own["result"]["taskId"]),
            (200, &json!(task)),
            "{own}"
        );
        let (status, _) = server.ask("ann", about("tasks/cancel", &task)).await;
        assert_eq!(status, 200);
    }
}

#[derive(Clone, Default)]
struct Tools {
    tasks: TaskManager,
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder();
        ServerConfig::new(capabilities.enable_tools().enable_tasks().build())
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let task = self.tasks.spawn(TaskOptions::new(), |context| {
            Box::pin(async move {
                context.cancelled().await;
                Ok(CallToolResult::success(vec![ContentBlock::text("done")]))
            })
        });
        Ok(CallToolResponse::Task(CreateTaskResult::new(task)))
    }

    async fn get_task(
        &self,
        params: GetTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        self.tasks.get_task(&params.task_id).map(GetTaskResult::new)
    }

    async fn update_task(
        &self,
        params: UpdateTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.update_task(&params.task_id, [])
    }

    async fn cancel_task(
        &self,
        params: CancelTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&params.task_id)
    }
}
