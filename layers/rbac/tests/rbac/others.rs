//! Answers to requests that are for no list, which a server may bring one in (TA-2): it finds where an
//! answer goes by the request's id, and callers choose that.

use std::{
    convert::Infallible,
    future::{Future, ready},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bartizan_core::RequestBody;
use bartizan_kit::{FrameError, FrameSender, Frames, Scripted};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use pin_project_lite::pin_project;
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn, util::MapResponse};

use crate::lists::{
    Vector, ask, json_list, layer, messages, piece, request, stream_list, viewer, whole,
};

const METHODS: [&str; 3] = ["ping", "initialize", "server/discover"];

fn list() -> String {
    let tools = json!([{"name": "delete_note"}, {"name": "read_note"}]);
    json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string()
}

/// The answer to a `ping`.
fn pong(body: &str) -> Vector {
    let mut vector = json_list("ping", json!({}));
    vector.body = body.to_owned();
    vector
}

#[tokio::test]
async fn ta_2_a_reused_id_shows_no_list_on_the_stream_of_another_call() {
    let tools = json!([{"name": "delete_note"}, {"name": "read_note"}]);
    let list = json!({"jsonrpc": "2.0", "id": 7, "result": {"tools": tools}});
    for method in ["ping", "initialize", "server/discover"] {
        let vector = Vector {
            method: method.to_owned(),
            ..stream_list(&format!("data: {list}\n\n"))
        };
        let listed = whole(layer(), &viewer(), &vector).await;
        assert!(listed.body.contains("read_note"), "{}", listed.body);
        assert!(!listed.body.contains("delete_note"), "{}", listed.body);
    }
}

#[tokio::test]
async fn ta_2_a_reused_id_shows_no_list_in_the_json_answer_of_another_call() {
    for method in METHODS {
        let vector = Vector {
            method: method.to_owned(),
            ..pong(&list())
        };
        for size in [1, 20, 1000] {
            let pieces = vector.body.as_bytes().chunks(size);
            let pieces = pieces.map(Bytes::copy_from_slice).collect();
            let listed = ask(layer(), &viewer(), &vector, pieces).await;
            assert_eq!(listed.head.status, 200);
            let seen: Value = serde_json::from_str(&listed.body).unwrap();
            assert_eq!(seen["result"]["tools"], json!([{"name": "read_note"}]));
            assert_eq!(listed.noted(), ["1 of 2 tools"]);
            assert!(!listed.head.headers.contains_key("etag"));
            assert!(!listed.head.headers.contains_key("content-length"));
            assert_eq!(listed.head.headers["cache-control"], "private, no-store");
        }
    }
}

#[tokio::test]
async fn ta_4_a_json_answer_that_may_be_a_list_and_cannot_be_read_is_refused() {
    for body in [
        r#"{"id":1,"result":{"tools":[{"name":"delete_note"}]},"result":1}"#,
        r#"{"id":1,"result":{"tools":[{"name":"delete_note"}]"#,
        r#"{"id":1,"result":{"Tools":[{"name":"delete_note"}]}}"#,
        r#"[{"id":1,"result":{"tools":[{"name":"delete_note"}]}}]"#,
        "{\"id\":1,\"result\":{\"tool\u{17f}\":[{\"name\":\"delete_note\"}]}}",
        // What some would read as UTF-16.
        "{\0\"\0t\0o\0o\0l\0s\0\"\0",
    ] {
        let listed = whole(layer(), &viewer(), &pong(body)).await;
        assert!(listed.is_refused(), "{body}");
        assert!(!listed.body.contains("delete_note"), "{body}");
    }
}

#[tokio::test]
async fn json_answers_that_name_no_list_pass_whatever_they_hold() {
    let odd = [
        "",
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"result":{"content":[]},"result":1"#,
        "no JSON",
    ];
    let nested = [
        r#"{"id":1,"result":{"structuredContent":{"tools":[{"name":"delete_note"}]}}}"#,
        r#"{"id":1,"result":{"capabilities":{"tools":{},"prompts":{}},"cacheScope":"public"}}"#,
        r#"{"id":1,"result":{"tools":{"name":"delete_note"},"prompts":7,"x":"\u0061"}}"#,
        r#"{"id":1,"result":{"resources":["x",1,{"title":"x"}]}}"#,
        r#"{"id":1,"error":{"code":1,"message":"\"tools\"","data":{"tools":[{"name":"x"}]}}}"#,
    ];
    for (body, has_list) in odd
        .iter()
        .map(|b| (*b, false))
        .chain(nested.map(|b| (b, true)))
    {
        for size in [1, 1000] {
            let pieces = body.as_bytes().chunks(size).map(Bytes::copy_from_slice);
            let listed = ask(layer(), &viewer(), &pong(body), pieces.collect()).await;
            assert_eq!(
                (listed.body.as_str(), listed.head.status.as_u16()),
                (body, 200)
            );
            assert!(
                listed.head.headers.contains_key("etag"),
                "nothing changed: {body}"
            );
            let is_list = has_list && body.contains(r#""result":{"resources":["#);
            let cache = if is_list {
                "private, no-store"
            } else {
                "public, max-age=600"
            };
            assert_eq!(listed.head.headers["cache-control"], cache, "{body}");
        }
    }
}

#[tokio::test]
async fn a_large_json_answer_of_another_call_passes_as_long_as_it_names_no_list() {
    let text = "x".repeat(200);
    let body = |middle: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"a":"{text}",{middle}"b":"{text}"}}}}"#)
    };
    let good = body(r#""tool":[],"#);
    let bad = body(r#""tools":[{"name":"delete_note"}],"#);
    for size in 1..90 {
        for most in [20, 100, 333] {
            let ask = async |body: &str| {
                let pieces = body.as_bytes().chunks(size).map(Bytes::copy_from_slice);
                let layer = layer().list_bytes(most).unwrap();
                ask(layer, &viewer(), &pong(body), pieces.collect()).await
            };
            assert_eq!(ask(&good).await.body, good, "{size} {most}");
            let refused = ask(&bad).await;
            let is_cut = bad.starts_with(&refused.body) && !refused.body.contains("\"tools\"");
            assert!(
                refused.is_refused() || is_cut,
                "{size} {most}: {}",
                refused.body
            );
            let last = refused.findings.last().unwrap();
            assert!(last.reason.contains("too large"), "{}", last.reason);
        }
        let listed = ask(layer(), &viewer(), &pong(&bad), vec![bad.clone().into()]).await;
        assert_eq!(listed.body, body(r#""tools":[],"#));
    }
}

#[tokio::test]
async fn what_is_no_json_and_may_be_a_list_is_refused_and_so_is_what_is_encoded() {
    for (media, encoding, body, refused) in [
        ("application/json; charset=utf-16", None, list(), true),
        ("application/json, application/json", None, list(), true),
        ("application/json", Some("gzip"), list(), true),
        ("application/json", Some("gzip"), "x".to_owned(), true),
        ("text/plain", Some("gzip"), "fine".to_owned(), false),
        ("text/json", None, "fine".to_owned(), false),
        ("application/json", Some("identity"), "{}".to_owned(), false),
    ] {
        let vector = Vector {
            media: media.to_owned(),
            encoding: encoding.map(str::to_owned),
            ..pong(&body)
        };
        let listed = whole(layer(), &viewer(), &vector).await;
        assert_eq!(listed.is_refused(), refused, "{media} {encoding:?}");
        assert!(!listed.body.contains("delete_note"));
        let vector = Vector {
            status: 404,
            ..vector
        };
        let listed = whole(layer(), &viewer(), &vector).await;
        assert_eq!(listed.body, body, "no success");
    }
}

pin_project! {
    /// A body that says how long it is, if it does; nobody has to believe it.
    struct Told {
        #[pin]
        frames: Frames,
        length: Option<u64>,
    }
}

impl Body for Told {
    type Data = Bytes;
    type Error = FrameError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FrameError>>> {
        self.project().frames.poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The answer to a `ping` that is given frame by frame.
async fn scripted(
    status: u16,
    most: usize,
    length: Option<u64>,
) -> (FrameSender, tokio::task::JoinHandle<Answer>) {
    let (inner, mut exchanges) = Scripted::<Infallible>::new();
    let told = move |response: Response<Frames>| response.map(|frames| Told { frames, length });
    let inner = MapResponse::new(inner, told);
    let request = request(&viewer(), "ping", false);
    let layer = layer().list_bytes(most).unwrap();
    let answer = tokio::spawn(async move { layer.layer(inner).oneshot(request).await.unwrap() });
    let head = Response::builder().header("content-type", "application/json");
    let head = head.status(status).body(()).unwrap();
    (exchanges.next().await.respond(head), answer)
}

type Answer = Response<bartizan_core::ResponseBody<bartizan_rbac::ListBody<Told>>>;

#[tokio::test]
async fn trailers_of_an_answer_without_a_list_stay_and_it_ends_once() {
    for (most, length) in [(1, None), (1000, None), (1000, Some(7)), (7, Some(7))] {
        let (sender, answer) = scripted(200, most, length).await;
        sender.data(r#"{"a":"#);
        sender.data("1}");
        let mut trailers = HeaderMap::new();
        trailers.insert("content-digest", "7".parse().unwrap());
        sender.trailers(trailers.clone());
        drop(sender);
        let mut body = pin!(answer.await.unwrap().into_body());
        let mut text = String::new();
        let got = loop {
            let frame = body.frame().await.unwrap().unwrap();
            match frame.into_data() {
                Ok(data) => text.push_str(std::str::from_utf8(&data).unwrap()),
                Err(frame) => break frame.into_trailers().unwrap(),
            }
        };
        assert_eq!((text.as_str(), got), (r#"{"a":1}"#, trailers));
        for _ in 0..2 {
            assert!(body.frame().await.is_none());
            assert!(body.is_end_stream());
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_refused_until_part_of_it_passed() {
    for length in [None, Some(9)] {
        let (sender, answer) = scripted(200, 1000, length).await;
        sender.data("{");
        tokio::task::yield_now().await;
        sender.fail();
        assert_eq!(answer.await.unwrap().status(), 500);
        assert!(sender.is_dropped());
    }
    let (sender, answer) = scripted(200, 1, None).await;
    sender.data("{  ");
    sender.fail();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = pin!(answer.into_body());
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.unwrap().is_err());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn an_answer_that_says_how_long_it_is_is_judged_as_one_that_does_not() {
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":"{}"}}"#,
        "x".repeat(90)
    );
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        &*long,
        &*list(),
        "",
    ] {
        for size in [1, 20, 1000] {
            let mut seen = Vec::new();
            for length in [None, Some(text.len() as u64)] {
                let (sender, answer) = scripted(200, 1000, length).await;
                for piece in text.as_bytes().chunks(size) {
                    tokio::task::yield_now().await;
                    sender.data(Bytes::copy_from_slice(piece));
                }
                tokio::task::yield_now().await;
                drop(sender);
                let (head, body) = answer.await.unwrap().into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                seen.push((head.status, head.headers, body));
            }
            assert_eq!(seen[0], seen[1]);
            assert!(!seen[0].2.windows(11).any(|w| w == b"delete_note"));
        }
    }
}

#[test]
fn an_answer_that_is_there_and_says_how_long_it_is_takes_no_box() {
    let allocations = |length: Option<u64>| {
        let (sender, frames) = Frames::channel();
        sender.data("{}");
        drop(sender);
        let mut answer = Response::new(Told { frames, length });
        let json = "application/json".parse().unwrap();
        answer.headers_mut().insert("content-type", json);
        let answer = Arc::new(Mutex::new(Some(answer)));
        let inner = service_fn(move |_: Request<RequestBody<Full<Bytes>>>| {
            let answer = answer.lock().unwrap().take().unwrap();
            ready(Ok::<_, Infallible>(answer))
        });
        let mut service = layer().layer(inner);
        let mut future = pin!(service.call(request(&viewer(), "ping", false)));
        let mut nobody = Context::from_waker(Waker::noop());
        allocation_counter::measure(|| assert!(future.as_mut().poll(&mut nobody).is_ready()))
            .count_total
    };
    assert_eq!(allocations(Some(2)) + 1, allocations(None));
}

#[tokio::test]
async fn an_answer_that_is_longer_than_it_said_is_refused_and_what_is_left_of_it_dropped() {
    for frames in [vec!["x".repeat(30)], vec!["x".repeat(9); 3]] {
        let (sender, answer) = scripted(200, 10, Some(10)).await;
        for frame in frames {
            sender.data(frame);
        }
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 500);
        assert!(sender.is_dropped());
        let denial = answer.extensions().get::<bartizan_core::Denial>().unwrap();
        assert!(denial.reason().contains("longer"), "{}", denial.reason());
    }
}

#[tokio::test]
async fn a_large_event_of_another_call_passes_as_long_as_it_names_no_list() {
    let event = |middle: &str| {
        let text = "é".repeat(300);
        format!(
            "id: 1\r\ndata: {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"a\":\"{text}\",\r\n: no comment\r\ndata:{middle}\r\ndata: \"b\":\"{text}\"}}}}\r\n\r\n"
        )
    };
    let list = "data: {\"result\":{\"tools\":[{\"name\":\"delete_note\"}]},\"id\":1}\n\n";
    let seen = "data: {\"result\":{\"tools\":[]},\"id\":1}\n\n";
    let good = event("\"tool\":[],");
    let bad = event("\"tools\":[{\"name\":\"delete_note\"}],");
    for size in 1..90 {
        for most in [60, 64, 333, 660] {
            let ask = async |body: &str| {
                let vector = Vector {
                    method: "ping".to_owned(),
                    ..stream_list(body)
                };
                let pieces = vector.body.as_bytes().chunks(size);
                let pieces = pieces.map(Bytes::copy_from_slice).collect();
                let layer = layer().list_bytes(most).unwrap();
                ask(layer, &viewer(), &vector, pieces).await
            };
            let passed = ask(&format!("{good}{list}: c\n\n{good}")).await;
            assert_eq!(passed.body, format!("{good}{seen}: c\n\n{good}"));
            let refused = ask(&format!("{list}{bad}{good}")).await;
            let rest = refused.body.strip_prefix(seen).unwrap();
            assert!(!rest.contains("delete_note"), "{rest}");
            // Either nothing of it was written and an error is, or it does not end.
            let is_error = rest.starts_with("data: {") && rest.contains("-32603");
            assert!(is_error || !rest.contains("\r\n\r\n"), "{rest}");
            let last = refused.findings.last().unwrap();
            assert!(last.reason.contains("too large"), "{}", last.reason);
        }
    }
}

/// Members of a result, lists among them in whatever spelling.
fn member() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("tools"),
        Just("t\\u006fols"),
        Just("Tools"),
        Just("tool\u{17f}"),
        Just("resources"),
        Just("resourceTemplates"),
        Just("prompts"),
        Just("structuredContent"),
        Just("_meta"),
    ];
    let element = prop_oneof![
        Just(r#"{"name":"delete_note"}"#),
        Just(r#"{"name":"\u0064elete_note"}"#),
        Just(r#"{"Name":"delete_note"}"#),
        Just(r#"{"name":"read_note","name":"delete_note"}"#),
        Just(r#"{"name":"read_note"}"#),
        Just(r#"{"uri":"file:///secret/delete_note"}"#),
        Just(r#"{"uriTemplate":"file:///secret/{delete_note}"}"#),
        Just("null"),
    ];
    let elements = prop::collection::vec(element, 0..3);
    (name, "[ \t]?", elements)
        .prop_map(|(name, space, elements)| format!("\"{name}\"{space}:[{}]", elements.join(",")))
}

fn message() -> impl Strategy<Value = String> {
    let members = prop::collection::vec(member(), 0..4);
    let wrong = prop_oneof![8 => Just(""), 1 => Just("}"), 1 => Just("\n"), 1 => Just("{}")];
    (members, wrong).prop_map(|(members, wrong)| {
        let members = members.join(",");
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{{members}}}}}{wrong}"#)
    })
}

/// Whether a client that ignores case would find what the viewer may not see in a list of the message.
fn shows_forbidden(message: &str) -> bool {
    let Ok(seen) = serde_json::from_str::<Value>(message) else {
        return false;
    };
    let Some(result) = seen["result"].as_object() else {
        return false;
    };
    result.iter().any(|(list, elements)| {
        let key = match &*list.replace('\u{17f}', "s").to_lowercase() {
            "tools" | "prompts" => "name",
            "resources" => "uri",
            "resourcetemplates" => "uriTemplate",
            _ => return false,
        };
        let elements = elements.as_array().into_iter().flatten();
        let mut members = elements.filter_map(Value::as_object).flatten();
        members.any(|(name, value)| {
            name.eq_ignore_ascii_case(key) && value.to_string().contains("delete_note")
        })
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

fn chunks(text: &str, size: usize) -> Vec<Bytes> {
    let pieces = text.as_bytes().chunks(size);
    pieces.map(Bytes::copy_from_slice).collect()
}

proptest! {
    #[test]
    fn ta_2_no_stream_of_another_call_shows_a_list_that_is_not_filtered(
        pieces in prop::collection::vec(piece(), 0..24),
        size in 1..60_usize,
        most in 20..400_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let vector = Vector { method: "ping".to_owned(), ..stream_list(&pieces.concat()) };
        let cut = vector.body.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
        let layer = layer().list_bytes(most).unwrap();
        let body = runtime.block_on(ask(layer, &viewer(), &vector, cut)).body;
        for message in messages(&body) {
            if let Ok(seen) = serde_json::from_str::<Value>(&message) {
                prop_assert!(!seen["result"].to_string().contains("delete_note"), "{}", body);
            }
        }
    }

    #[test]
    fn ta_2_no_event_of_another_call_names_what_is_forbidden_however_it_is_written(
        messages_in in prop::collection::vec(message(), 1..5),
        end in prop_oneof![Just("\n"), Just("\r"), Just("\r\n")],
        size in 1..80_usize,
        most in prop_oneof![20..300_usize, Just(4096)],
    ) {
        let event = |message: &String| {
            let lines: Vec<_> = message.split('\n').map(|line| format!("data: {line}{end}")).collect();
            lines.concat() + end
        };
        let text: String = messages_in.iter().map(event).collect();
        let vector = Vector { method: "ping".to_owned(), ..stream_list(&text) };
        let layer = layer().list_bytes(most).unwrap();
        let body = runtime().block_on(ask(layer, &viewer(), &vector, chunks(&text, size))).body;
        for message in messages(&body) {
            prop_assert!(!shows_forbidden(&message), "{}", body);
        }
    }

    #[test]
    fn ta_2_no_json_answer_of_another_call_names_what_is_forbidden(
        message in message(),
        size in 1..80_usize,
        most in prop_oneof![20..300_usize, Just(4096)],
    ) {
        let layer = layer().list_bytes(most).unwrap();
        let pieces = chunks(&message, size);
        let listed = runtime().block_on(ask(layer, &viewer(), &pong(&message), pieces));
        prop_assert!(!shows_forbidden(&listed.body), "{}", listed.body);
        let passes = listed.body == message || listed.is_refused();
        prop_assert!(passes || listed.body.len() < message.len(), "{}", listed.body);
    }
}
