//! What it costs to judge a call by its tool's schema, beside what a user would write: `serde_json::Value` of the
//! body, and `jsonschema` on the arguments in it. Both stand before the same service, and take turns.
//!
//! ```sh
//! cargo bench -p bartizan-validate --bench arguments
//! ```

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench stops at what goes wrong, prints its figures, and is no API"
)]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    hint::black_box,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bartizan_validate::ValidateLayer;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use serde_json::{Value, json};
use tower_layer::Layer;
use tower_service::Service;

/// What both stand before.
#[derive(Clone)]
struct Tool;

impl<B: Body> Service<Request<B>> for Tool {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        black_box(request);
        ready(Ok(Response::new(Full::default())))
    }
}

/// As a user would write it, its body at hand.
#[derive(Clone)]
struct ByHand {
    validator: Arc<jsonschema::Validator>,
    inner: Tool,
}

impl ByHand {
    fn call(
        &mut self,
        request: Request<Bytes>,
    ) -> Ready<Result<Response<Full<Bytes>>, Infallible>> {
        let message: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(message["method"], "tools/call");
        assert_eq!(message["params"]["name"], "tool");
        assert!(self.validator.is_valid(&message["params"]["arguments"]));
        self.inner.call(request.map(Full::new))
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 3, "maxLength": 200},
            "kind": {"enum": ["bug", "feature", "question"]},
            "priority": {"type": "integer", "minimum": 1, "maximum": 5},
            "labels": {"type": "array", "maxItems": 20, "items": {"type": "string", "pattern": "^[a-z0-9-]+$"}},
            "text": {"type": "string", "maxLength": 1_000_000},
            "items": {"type": "array", "maxItems": 2000, "items": {"$ref": "#/$defs/item"}}
        },
        "required": ["title", "kind"],
        "additionalProperties": false,
        "$defs": {"item": {
            "type": "object",
            "properties": {
                "id": {"type": "integer", "minimum": 0},
                "name": {"type": "string", "maxLength": 80},
                "done": {"type": "boolean"},
                "weight": {"type": ["number", "null"], "maximum": 1000}
            },
            "required": ["id", "name"],
            "additionalProperties": false
        }}
    })
}

fn call(items: usize, text: usize) -> Bytes {
    let items: Vec<_> = (0..items)
        .map(|n| json!({"id": n, "name": format!("item number {n}"), "done": n % 2 == 0, "weight": 1.5}))
        .collect();
    let mut arguments = json!({
        "title": "The lights of the north pier are out",
        "kind": "bug",
        "priority": 2,
        "labels": ["harbour", "night-shift", "lights"],
        "text": "Since Tuesday; ".repeat(text)
    });
    if !items.is_empty() {
        arguments["items"] = json!(items);
    }
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "tool", "arguments": arguments}
    });
    message.to_string().into()
}

/// The time of one run, of many.
fn time(runs: u32, mut run: impl FnMut()) -> Duration {
    let begun = Instant::now();
    for _ in 0..runs {
        run();
    }
    begun.elapsed() / runs
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() {
    let text = schema().to_string();
    let layer = ValidateLayer::new()
        .without_learning()
        .schema("tool", &text)
        .unwrap();
    let ours = layer.layer(Tool);
    let validator = Arc::new(jsonschema::validator_for(&schema()).unwrap());
    let theirs = ByHand {
        validator,
        inner: Tool,
    };
    println!(
        "{:>14} {:>8} {:>10} {:>10} {:>6} {:>14}",
        "", "bytes", "ours", "by hand", "ratio", "allocations"
    );
    for (name, body, runs) in [
        ("small", call(0, 3), 20_000),
        ("2 KB", call(28, 1), 5000),
        ("64 KB", call(1050, 1), 200),
        ("64 KB of text", call(0, 4300), 1000),
    ] {
        let request = || {
            let request = Request::post("/mcp").header("content-type", "application/json");
            request.body(body.clone()).unwrap()
        };
        let ours = || {
            let mut future = Box::pin(ours.clone().call(request().map(Full::new)));
            let polled = future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(Ok(response)) = polled else {
                unreachable!("nothing is waited for");
            };
            assert_eq!(response.headers().len(), 0, "it passed");
            black_box(response.status());
        };
        let theirs = || {
            let mut future = Box::pin(theirs.clone().call(request()));
            let polled = future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            black_box(polled.is_ready());
        };
        let (mut mine, mut other) = (Vec::new(), Vec::new());
        for _ in 0..21 {
            mine.push(time(runs, ours));
            other.push(time(runs, theirs));
        }
        let (mine, other) = (median(mine), median(other));
        let count = |run: &dyn Fn()| allocation_counter::measure(run).count_total;
        println!(
            "{name:>14} {:>8} {mine:>10.2?} {other:>10.2?} {:>6.2} {:>14}",
            body.len(),
            mine.as_secs_f64() / other.as_secs_f64(),
            format!("{} to {}", count(&ours), count(&theirs)),
        );
    }
}
