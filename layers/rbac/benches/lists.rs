//! What it costs to filter a list of 200 tools, beside one skim of the same bytes by `serde_json`.
//!
//! ```sh
//! cargo bench -p bartizan-rbac --bench lists
//! ```
//!
//! A figure of `filtered` is a whole request, from call to the last byte of its answer; `unfiltered`
//! is the same request where lists are not filtered.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at what goes wrong, and is no API"
)]

use std::{convert::Infallible, hint::black_box};

use bartizan_core::{Principal, RequestBody, identify};
use bartizan_rbac::{Policy, RbacLayer, Rule};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde::de::IgnoredAny;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

fn tools() -> String {
    let tool = |n: usize| {
        let area = match n % 4 {
            0 => "notes",
            1 => "files",
            2 => "reports",
            _ => "users",
        };
        json!({
            "name": format!("{area}_action_{n}"),
            "title": format!("Action {n}"),
            "description": format!("Does what action {n} of the {area} does, and says what became of it"),
            "inputSchema": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "description": "Which one"},
                    "limit": {"type": "integer", "minimum": 1, "maximum": 100},
                },
                "required": ["id"],
            },
            "annotations": {"readOnlyHint": n.is_multiple_of(2)},
        })
    };
    let tools: Vec<_> = (0..200).map(tool).collect();
    json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string()
}

fn policy() -> Policy {
    let mut policy = Policy::enterprise()
        .rule(Rule::tool("notes_*").role("viewer"))
        .rule(Rule::tool("files_*").role("developer"))
        .rule(Rule::tool("reports_*").role("viewer").scope("reports.read"))
        .rule(Rule::tool("users_*").role("admin"));
    for n in 0..50 {
        policy = policy.rule(Rule::tool(&format!("notes_action_{}", n * 4)).role("viewer"));
    }
    policy.build().unwrap()
}

fn request() -> Request<Full<Bytes>> {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let mut request = Request::post("/mcp")
        .header("content-type", "application/json")
        .body(Full::from(body))
        .unwrap();
    let vera = Principal::user("https://auth.example.com", "vera");
    identify(&mut request, vera.roles(["viewer"]).build("jwt")).unwrap();
    request
}

fn lists(c: &mut Criterion) {
    let list = tools();
    let stream = format!("data: {list}\n\n");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut group = c.benchmark_group("lists");
    group.throughput(Throughput::Bytes(list.len() as u64));
    group.bench_function("skim", |b| {
        b.iter(|| serde_json::from_slice::<IgnoredAny>(black_box(list.as_bytes())).unwrap());
    });
    let layer = RbacLayer::new(policy());
    for (name, layer, media, body) in [
        (
            "unfiltered",
            layer.clone().without_list_filtering(),
            "application/json",
            &list,
        ),
        ("filtered", layer.clone(), "application/json", &list),
        ("filtered_stream", layer, "text/event-stream", &stream),
    ] {
        let body = Bytes::from(body.clone());
        let service = layer.layer(service_fn(move |_: Request<RequestBody<Full<Bytes>>>| {
            let answer = Response::builder().header("content-type", media);
            let answer = answer.body(Full::new(body.clone())).unwrap();
            async { Ok::<_, Infallible>(answer) }
        }));
        let ask = |request| {
            runtime.block_on(async {
                let answer = service.clone().oneshot(request).await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.into_body().collect().await.unwrap().to_bytes()
            })
        };
        let shown = String::from_utf8(ask(request()).to_vec()).unwrap();
        let shown = shown.matches("inputSchema").count();
        assert_eq!(shown, if name == "unfiltered" { 200 } else { 100 });
        group.bench_function(name, |b| {
            b.iter_batched(
                request,
                |request| black_box(ask(request)),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, lists);
criterion_main!(benches);
