//! A policy that is exchanged while a real server is asked: each request is decided by one of both, and none
//! fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
};
use bartizan::{
    CallLayer, Caller, Principal, RbacLayer, SecurityContext, Verdict, identify,
    rbac::{Policy, PolicyHandle, Rule},
};
use bartizan_kit::{McpRequest, Revision, call_tool, post};
use http_body_util::BodyExt;
use reqwest::Client;
use rmcp::{
    ServerHandler,
    handler::server::router::tool::ToolRouter,
    model::{ServerCapabilities, ServerConfig},
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tower::ServiceBuilder;

const REVISION: Revision = Revision::V2025_11_25;
const ROUNDS: usize = 100;
/// Those that ask at the same time.
const CLIENTS: usize = 4;

/// The one lets viewers use `only_a` and grants them `is:a`, the other is the same of b.
fn policy(letter: &str) -> Arc<Policy> {
    let policy = Policy::enterprise()
        .version(letter)
        .capability("is:a")
        .capability("is:b")
        .grant("viewer", [&*format!("is:{letter}")])
        .rule(Rule::tool(&format!("only_{letter}")).role("viewer"))
        .rule(Rule::tool("which").role("viewer"));
    Arc::new(policy.build().unwrap())
}

/// Stands outside all layers: makes everybody a viewer, and tells by which versions was decided.
async fn told(mut request: Request, next: Next) -> Response {
    let vera = Principal::user("https://auth.example.com", "vera").roles(["viewer"]);
    identify(&mut request, vera.build("test")).unwrap();
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    let (mut head, body) = next.run(request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let findings = context.open_trail().findings();
    let decided = findings.iter().filter(|finding| finding.layer == "rbac");
    let versions: Vec<_> = decided
        .filter(|finding| finding.verdict != Verdict::Noted)
        .map(|finding| finding.reason.split('`').nth(1).unwrap_or("none"))
        .collect();
    head.headers
        .insert("x-decided-by", versions.join(" ").parse().unwrap());
    Response::from_parts(head, Body::from(body))
}

async fn serve(handle: PolicyHandle) -> String {
    let tools = Tools {
        tool_router: Tools::tool_router(),
    };
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let manager = LocalSessionManager::default();
    let mcp = StreamableHttpService::new(move || Ok(tools.clone()), manager.into(), config);
    let guards = ServiceBuilder::new()
        .layer(CallLayer::new())
        .layer(RbacLayer::with_handle(handle));
    let app = Router::new().nest_service("/mcp", mcp).route_layer(guards);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app.layer(from_fn(told))).await });
    url
}

/// The version that decided, whatever shows it: the finding, the status, the list, what the handler was told.
async fn ask(
    client: &Client,
    url: &str,
    request: McpRequest,
    says: fn(u16, &Value) -> &'static str,
) -> String {
    let (parts, body) = request.no_header("host").build().into_parts();
    let answer = client
        .post(url)
        .headers(parts.headers)
        .body(body.collect().await.unwrap().to_bytes())
        .send()
        .await
        .unwrap();
    let decided_by = answer.headers()["x-decided-by"]
        .to_str()
        .unwrap()
        .to_owned();
    let status = answer.status().as_u16();
    let body = answer.json().await.unwrap();
    assert_eq!(decided_by, says(status, &body), "{status} {body}");
    decided_by
}

fn tool_says(status: u16, body: &Value) -> &'static str {
    match (status, body["result"]["content"][0]["text"].as_str()) {
        (200, Some("a")) => "a",
        (200, Some("b")) => "b",
        other => panic!("{other:?}"),
    }
}

fn status_says(status: u16, _: &Value) -> &'static str {
    match status {
        200 => "a",
        403 => "b",
        other => panic!("{other}"),
    }
}

fn list_says(status: u16, body: &Value) -> &'static str {
    let tools = body["result"]["tools"].as_array().unwrap();
    let mut names: Vec<_> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    match (status, &*names) {
        (200, ["only_a", "which"]) => "a",
        (200, ["only_b", "which"]) => "b",
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_swapped_under_load_decides_each_request_of_a_real_server_alone_and_none_fails() {
    let handle = PolicyHandle::new(policy("a"));
    let url = serve(handle.clone()).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let swapping = thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || {
            let policies = [policy("b"), policy("a")];
            let mut swaps = 0;
            for policy in policies.iter().cycle() {
                if is_over.load(Ordering::Acquire) {
                    return swaps;
                }
                handle.swap(Arc::clone(policy));
                swaps += 1;
                thread::sleep(Duration::from_micros(50));
            }
            swaps
        }
    });
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let url = url.clone();
        clients.spawn(async move {
            let client = Client::new();
            let mut decided = Vec::new();
            for _ in 0..ROUNDS {
                let which = call_tool(REVISION, "which", json!({}));
                decided.push(ask(&client, &url, which, tool_says).await);
                let only_a = call_tool(REVISION, "only_a", json!({}));
                decided.push(ask(&client, &url, only_a, status_says).await);
                let list = post(REVISION, "tools/list", json!({}));
                decided.push(ask(&client, &url, list, list_says).await);
            }
            decided
        });
    }
    let decided = clients.join_all().await.concat();
    is_over.store(true, Ordering::Release);
    let swaps = swapping.join().unwrap();
    assert_eq!(decided.len(), CLIENTS * ROUNDS * 3);
    let by_a = decided.iter().filter(|version| *version == "a").count();
    assert!(
        by_a > 50 && decided.len() - by_a > 50 && swaps > 100,
        "{by_a} by a, {swaps} swaps"
    );
}

#[derive(Clone)]
struct Tools {
    #[allow(dead_code, reason = "read by the code that the macro writes")]
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Tools {
    #[tool(description = "Tells which policy it is asked under")]
    async fn which(&self, caller: Caller) -> String {
        tokio::task::yield_now().await;
        match (caller.has_capability("is:a"), caller.has_capability("is:b")) {
            (true, false) => "a",
            (false, true) => "b",
            _ => "neither or both",
        }
        .to_owned()
    }

    #[tool(description = "Where a is in force")]
    fn only_a(&self) -> String {
        "done".to_owned()
    }

    #[tool(description = "Where b is in force")]
    fn only_b(&self) -> String {
        "done".to_owned()
    }
}

#[tool_handler]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}
