//! What rules hide, and decoys, beside what a real rmcp server does not know: on a socket, byte for byte (TA-12).

use axum::{Router, body::Body};
use bartizan::{
    AuditLayer, Principal, RbacLayer,
    audit::Records,
    identify,
    rbac::{HoneyTool, Policy, Rule, UnknownAnswer},
};
use bartizan_kit::{McpRequest, Revision, call_tool, post};
use http::Request;
use http_body_util::BodyExt;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        GetPromptRequestParams, GetPromptResponse, ReadResourceRequestParams, ReadResourceResponse,
        ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::util::MapRequestLayer;

use crate::server::Mode;

/// Has a tool `secret_a`; whatever else is asked for is unknown.
#[derive(Clone)]
struct Vault;

#[tool_router]
impl Vault {
    #[tool(description = "Tells")]
    fn secret_a(&self) -> String {
        "told".to_owned()
    }
}

#[tool_handler]
impl ServerHandler for Vault {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts();
        ServerConfig::new(capabilities.build())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let text = format!("prompt '{}' not found", request.name);
        Err(ErrorData::invalid_params(text, None))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let data = json!({ "uri": request.uri });
        Err(ErrorData::resource_not_found(
            "Resource not found",
            Some(data),
        ))
    }
}

const DECOY: &str =
    r#"{"name":"backup_a","description":"Copies all","inputSchema":{"type":"object"}}"#;

/// Where everything is open to a viewer but what is hidden: the server itself answers for what it does not know.
async fn start(mode: Mode) -> (String, Records) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(mode == Mode::Json)
        .with_sse_keep_alive(None);
    let manager = LocalSessionManager::default();
    let mcp = StreamableHttpService::new(|| Ok(Vault), manager.into(), config);
    let policy = Policy::enterprise()
        .rule(Rule::tool("*").role("viewer"))
        .rule(Rule::tool("secret_*").scope("secrets").hidden())
        .honey_tool(
            HoneyTool::new("backup_a")
                .shown_to(["viewer"])
                .definition(DECOY),
        )
        .rule(Rule::prompt("*").role("viewer"))
        .rule(Rule::prompt("secret_*").role("admin").hidden())
        .rule(Rule::resource("**").role("viewer"))
        .rule(Rule::resource("file:///secret_*").role("admin").hidden());
    let answer = match mode {
        Mode::Json => UnknownAnswer::json(),
        _ => UnknownAnswer::events(),
    };
    let rbac = RbacLayer::new(policy.build().unwrap()).unknown_as(answer);
    let identified = MapRequestLayer::new(move |mut request: Request<Body>| {
        let ann = Principal::user("https://auth.example.com", "ann").roles(["viewer"]);
        identify(&mut request, ann.build("test")).unwrap();
        request
    });
    let records = Records::new();
    let app = Router::new()
        .nest_service("/mcp", mcp)
        .route_layer(rbac)
        .route_layer(identified)
        .route_layer(AuditLayer::new(records.clone()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, records)
}

/// All that comes back over the wire, but for the time and the request's id.
async fn wire(address: &str, request: McpRequest) -> String {
    let (parts, body) = request.host("localhost").build().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut sent = format!(
        "POST /mcp HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in &parts.headers {
        if name != "content-length" {
            sent.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
    }
    sent.push_str("\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut received = String::new();
    stream.read_to_string(&mut received).await.unwrap();
    let lines = received.split_inclusive("\r\n");
    let is_alike = |line: &&str| !line.starts_with("date: ") && !line.starts_with("x-request-id: ");
    lines.filter(is_alike).collect()
}

fn requests(revision: Revision, name: &str) -> [McpRequest; 3] {
    let uri = format!("file:///{name}");
    [
        call_tool(revision, name, json!({})),
        post(revision, "prompts/get", json!({ "name": name })),
        post(revision, "resources/read", json!({ "uri": uri })),
    ]
}

#[tokio::test]
async fn ta_6_ta_12_nothing_on_the_wire_tells_a_hidden_name_from_one_that_rmcp_does_not_know() {
    for mode in [Mode::Json, Mode::Streams] {
        let (address, _) = start(mode).await;
        for revision in [
            Revision::V2025_03_26,
            Revision::V2025_06_18,
            Revision::V2025_11_25,
            Revision::V2026_07_28,
        ] {
            let ids: [Value; 3] = [json!(7), json!("seven \"7\" \u{e9}\u{7f}"), json!(0)];
            for id in ids {
                let hidden = requests(revision, "secret_a");
                let unknown = requests(revision, "unseen_a");
                for (hidden, unknown) in hidden.into_iter().zip(unknown) {
                    let hidden = wire(&address, hidden.id(id.clone())).await;
                    let unknown = wire(&address, unknown.id(id.clone())).await;
                    assert_eq!(
                        hidden.replace("secret", "unseen"),
                        unknown,
                        "{mode:?} {revision:?}"
                    );
                    assert!(hidden.starts_with("HTTP/1.1 200 OK\r\n"), "{hidden}");
                    assert!(hidden.contains(r#""error":{"code":-32"#), "{hidden}");
                }
            }
        }
    }
}

#[tokio::test]
async fn nothing_on_the_wire_tells_a_call_to_a_decoy_from_one_that_rmcp_does_not_know() {
    for mode in [Mode::Json, Mode::Streams] {
        let (address, records) = start(mode).await;
        for revision in [Revision::V2025_06_18, Revision::V2026_07_28] {
            let decoy = wire(&address, call_tool(revision, "backup_a", json!({}))).await;
            let unknown = wire(&address, call_tool(revision, "unseen_a", json!({}))).await;
            assert_eq!(decoy.replace("backup", "unseen"), unknown, "{mode:?}");
            assert!(decoy.starts_with("HTTP/1.1 200 OK\r\n"), "{decoy}");
            let listed = wire(&address, post(revision, "tools/list", json!({}))).await;
            assert!(listed.contains(DECOY), "{listed}");
            assert!(!listed.contains("secret_a"), "{listed}");
            let all = records.all();
            records.take();
            let (touched, others): (Vec<_>, Vec<_>) = all
                .into_iter()
                .partition(|record| record["severity"] == "critical");
            assert_eq!((touched.len(), others.len()), (1, 2), "{others:?}");
            let classes = touched[0]["classes"].as_array().unwrap();
            assert!(classes.contains(&json!("honey_touched")), "{classes:?}");
            assert_eq!(touched[0]["tool_name"], "backup_a");
            assert_eq!(touched[0]["user_id"], "ann");
            let findings = touched[0]["findings"].to_string();
            assert!(findings.contains("tool `backup_a`"), "{findings}");
        }
    }
}
