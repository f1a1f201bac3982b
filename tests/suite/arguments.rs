//! Arguments of calls to a real rmcp server, judged by the schemas that it lists.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use axum::{Router, body::Body};
use bartizan::{RequestBody, ValidateLayer, validate::Answers};
use bartizan_kit::{Revision, call_tool};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, ErrorData, RoleClient, RoleServer,
    ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ClientConfig, ContentBlock,
        ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion,
        ServerCapabilities, ServerConfig, Tool,
    },
    service::{RequestContext, RunningService},
    transport::{
        StreamableHttpClientTransport,
        streamable_http_client::StreamableHttpClientTransportConfig,
        streamable_http_server::{
            StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
        },
    },
};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tower::{Layer, Service, ServiceExt};

use crate::server::Mode;

/// Has its tools on two pages.
#[derive(Clone, Default)]
struct Notes {
    go_on: Arc<Notify>,
}

fn tool(name: &'static str, schema: &Value) -> Tool {
    Tool::new(name, "", schema.as_object().unwrap().clone())
}

/// Says that it counts.
fn counting() -> Tool {
    let mut tool = tool("count", &json!({"type": "object"}));
    let output = json!({
        "type": "object",
        "properties": {"count": {"type": "integer"}},
        "required": ["count"]
    });
    tool.output_schema = output.as_object().cloned().map(Arc::new);
    tool
}

impl ServerHandler for Notes {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let add = json!({
            "type": "object",
            "properties": {"title": {"type": "string", "maxLength": 9}, "level": {"type": "number"}},
            "required": ["title"],
            "additionalProperties": false
        });
        let is_first = request.and_then(|request| request.cursor).is_none();
        let tools = match is_first {
            true => vec![tool("two_steps", &json!({"type": "object"}))],
            false => vec![
                tool("add", &add),
                tool("large", &json!({"type": "object"})),
                counting(),
            ],
        };
        let mut list = ListToolsResult::with_all_items(tools);
        list.next_cursor = is_first.then(|| "more".to_owned());
        Ok(list)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = match &*request.name {
            "two_steps" => {
                if let Some(token) = context.meta.get_progress_token() {
                    let progress = ProgressNotificationParam::new(token, 1.0);
                    let _ = context.peer.notify_progress(progress).await;
                }
                self.go_on.notified().await;
                "done".to_owned()
            }
            "count" => {
                let as_it_says = request.arguments.is_none_or(|own| own.is_empty());
                let count = if as_it_says {
                    json!(3)
                } else {
                    json!("s3cret")
                };
                return Ok(CallToolResult::structured(json!({"count": count})).into());
            }
            "large" => "x".repeat(8 << 20),
            _ => "added".to_owned(),
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

/// Keeps what arrives at the server.
#[derive(Clone)]
struct Recorder {
    server: StreamableHttpService<Notes, LocalSessionManager>,
    bodies: Arc<Mutex<Vec<Bytes>>>,
}

impl Service<Request<RequestBody<Body>>> for Recorder {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody<Body>>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            this.bodies.lock().unwrap().push(body.clone());
            let request = Request::from_parts(head, Full::new(body));
            let response = this.server.oneshot(request).await.unwrap();
            Ok(response.map(Body::new))
        })
    }
}

struct Guarded {
    app: Router,
    bodies: Arc<Mutex<Vec<Bytes>>>,
    go_on: Arc<Notify>,
}

fn guarded(mode: Mode) -> Guarded {
    guarded_by(ValidateLayer::new(), mode)
}

fn guarded_by(layer: ValidateLayer, mode: Mode) -> Guarded {
    let notes = Notes::default();
    let go_on = Arc::clone(&notes.go_on);
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(mode == Mode::Sessions)
        .with_json_response(mode == Mode::Json);
    let sessions = LocalSessionManager::default().into();
    let server = StreamableHttpService::new(move || Ok(notes.clone()), sessions, config);
    let bodies = Arc::default();
    let recorder = Recorder {
        server,
        bodies: Arc::clone(&bodies),
    };
    let app = Router::new().route_service("/mcp", layer.layer(recorder));
    Guarded { app, bodies, go_on }
}

impl Guarded {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let app = self.app.clone();
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    fn calls(&self) -> Vec<Bytes> {
        let bodies = self.bodies.lock().unwrap();
        let is_call = |body: &&Bytes| {
            let message: Value = serde_json::from_slice(body).unwrap_or_default();
            message["method"] == "tools/call"
        };
        bodies.iter().filter(is_call).cloned().collect()
    }
}

#[derive(Clone)]
struct Client(ProtocolVersion);

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        info.protocol_version = self.0.clone();
        info
    }
}

async fn connect(url: String, version: &ProtocolVersion) -> RunningService<RoleClient, Client> {
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let transport = StreamableHttpClientTransport::from_config(config);
    let lifecycle = match version.has_initialize() {
        true => ClientLifecycleMode::Initialize,
        false => ClientLifecycleMode::Discover {
            preferred_versions: vec![version.clone()],
        },
    };
    let client = Client(version.clone());
    let client = client.serve_with_lifecycle(transport, lifecycle);
    client.await.unwrap()
}

#[tokio::test]
async fn iv_1_iv_2_a_client_of_every_revision_reads_what_was_wrong_and_the_tool_did_not_run() {
    for mode in [Mode::Sessions, Mode::Json, Mode::Streams] {
        for version in ProtocolVersion::KNOWN_VERSIONS {
            let guarded = guarded(mode);
            let url = guarded.start().await;
            let client = connect(url, version).await;
            let call = |arguments: Value| {
                let mut call = CallToolRequestParams::new("add");
                call.arguments = arguments.as_object().cloned();
                client.call_tool(call)
            };
            let good = call(json!({"title": "a", "level": 1.5})).await;
            let good = good.unwrap_or_else(|error| panic!("{mode:?} {version}: {error}"));
            assert_ne!(good.is_error, Some(true), "{mode:?} {version}");
            assert_eq!(guarded.calls().len(), 1);
            let bad = call(json!({"title": "s3cret s3cret", "extra": 1}))
                .await
                .unwrap();
            assert_eq!(bad.is_error, Some(true), "{mode:?} {version}");
            let told = serde_json::to_string(&bad).unwrap();
            assert!(
                told.contains("`/title`: no more than 9 characters"),
                "{told}"
            );
            assert!(told.contains("there must be no member `extra`"), "{told}");
            assert!(!told.contains("s3cret"), "{told}");
            assert_eq!(guarded.calls().len(), 1, "{mode:?} {version}");
            let unknown = client.call_tool(CallToolRequestParams::new("nope")).await;
            let unknown = unknown.unwrap_err().to_string();
            assert!(unknown.contains("unknown tool"), "{unknown}");
            client.cancel().await.unwrap();
        }
    }
}

#[tokio::test]
async fn iv_12_what_passes_arrives_byte_for_byte() {
    for arguments in [
        r#"{ "title" : "\u0061\/b","level":1.50e+0 }"#,
        r#"{"level":9007199254740993,"title":"Grüße"}"#,
        "{\"title\":\"\\ud83d\\ude00\",\n\t\"level\":-0.0}",
    ] {
        for mode in [Mode::Json, Mode::Streams] {
            let guarded = guarded(mode);
            let body = format!(
                r#" {{"id":"x", "params":{{"arguments":{arguments},"name":"add"}},"method":"tools/call","jsonrpc":"2.0"}}"#
            );
            let request = call_tool(Revision::V2025_06_18, "add", json!({}));
            let request = request.host("localhost").body(body.clone()).build_axum();
            let response = guarded.app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let answer = response.into_body().collect().await.unwrap().to_bytes();
            assert!(String::from_utf8_lossy(&answer).contains("added"));
            assert_eq!(guarded.calls(), [body]);
        }
    }
}

#[tokio::test]
async fn ph_4_an_answer_streams_and_a_large_one_passes_whole() {
    let guarded = guarded(Mode::Streams);
    let request = call_tool(Revision::V2026_07_28, "two_steps", json!({}))
        .host("localhost")
        .meta("progressToken", "p");
    let response = guarded
        .app
        .clone()
        .oneshot(request.build_axum())
        .await
        .unwrap();
    let mut body = response.into_body();
    loop {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        if String::from_utf8_lossy(&frame).contains("notifications/progress") {
            break;
        }
    }
    // The first part is here while the tool still runs.
    guarded.go_on.notify_one();
    let rest = body.collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&rest).contains("done"));
    let large = call_tool(Revision::V2026_07_28, "large", json!({})).host("localhost");
    let response = guarded
        .app
        .clone()
        .oneshot(large.build_axum())
        .await
        .unwrap();
    let whole = response.into_body().collect().await.unwrap().to_bytes();
    assert!(whole.len() > 8 << 20);
}

#[tokio::test]
async fn iv_9_a_client_of_every_revision_gets_no_result_that_is_not_what_the_tool_says() {
    for mode in [Mode::Sessions, Mode::Json, Mode::Streams] {
        for version in ProtocolVersion::KNOWN_VERSIONS {
            let layer = ValidateLayer::new().answers(Answers::refuse());
            let guarded = guarded_by(layer, mode);
            let url = guarded.start().await;
            let client = connect(url, version).await;
            let call = |arguments: Value| {
                let mut call = CallToolRequestParams::new("count");
                call.arguments = arguments.as_object().cloned();
                client.call_tool(call)
            };
            let good = call(json!({})).await;
            let good = good.unwrap_or_else(|error| panic!("{mode:?} {version}: {error}"));
            assert_eq!(good.structured_content, Some(json!({"count": 3})));
            let bad = call(json!({"otherwise": true})).await.unwrap_err();
            let bad = bad.to_string();
            assert!(bad.contains("its answer is withheld"), "{bad}");
            assert!(!bad.contains("s3cret"), "{bad}");
            assert_eq!(guarded.calls().len(), 2, "{mode:?} {version}");
            // The session goes on.
            assert!(call(json!({})).await.is_ok(), "{mode:?} {version}");
            client.cancel().await.unwrap();
        }
    }
}
