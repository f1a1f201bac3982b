//! What each principal sees of lists (TA-2, N-14).

use std::{convert::Infallible, time::Duration};

use bartizan_core::{DenialKind, Finding, RequestBody, ResponseBody, SecurityContext};
use bartizan_kit::{FrameSender, Frames, Scripted};
use bartizan_rbac::{ListBody, Policy, RbacLayer};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::common::{Caller, notes, post};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) name: String,
    #[expect(dead_code, reason = "for readers")]
    pub(crate) ids: Vec<String>,
    #[serde(default = "tools_list")]
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) modern: bool,
    #[serde(default = "json_media")]
    pub(crate) media: String,
    #[serde(default)]
    pub(crate) encoding: Option<String>,
    #[serde(default = "ok")]
    pub(crate) status: u16,
    pub(crate) body: String,
    /// What arrives: as it was, if nothing is said. Of a stream that is refused, what arrives before.
    pub(crate) seen: Option<String>,
    #[serde(default)]
    pub(crate) refused: bool,
}

fn tools_list() -> String {
    "tools/list".to_owned()
}

fn json_media() -> String {
    "application/json".to_owned()
}

fn ok() -> u16 {
    200
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../../../tests/vectors/lists.json")).unwrap()
}

/// Who may call `read_note`, `add_note` and `status`, and `edit_note` with another scope.
pub(crate) fn viewer() -> Caller {
    Caller::user(&["viewer"], &[])
}

/// What came of one list.
pub(crate) struct Listed {
    pub(crate) head: http::response::Parts,
    pub(crate) body: String,
    pub(crate) findings: Vec<Finding>,
}

impl Listed {
    pub(crate) fn is_refused(&self) -> bool {
        self.head.status == 500
    }

    pub(crate) fn noted(&self) -> Vec<&str> {
        let of = |finding: &&Finding| finding.kind == "list_filtered";
        let noted = self.findings.iter().filter(of);
        noted.map(|finding| &*finding.reason).collect()
    }
}

pub(crate) fn layer() -> RbacLayer {
    RbacLayer::new(notes())
}

pub(crate) fn request(caller: &Caller, method: &str, is_modern: bool) -> Request<Full<Bytes>> {
    let version = if is_modern {
        "2026-07-28"
    } else {
        "2025-11-25"
    };
    let mut request = match method {
        "GET" => Request::get("/mcp").body(Full::default()).unwrap(),
        _ if is_modern => post(
            method,
            json!({"_meta": {
                "io.modelcontextprotocol/protocolVersion": version,
                "io.modelcontextprotocol/clientCapabilities": {},
            }}),
        ),
        "resources/directory/read" => post(method, json!({"uri": "file:///public"})),
        _ => post(method, json!({})),
    };
    let headers = request.headers_mut();
    headers.insert("mcp-protocol-version", version.parse().unwrap());
    if is_modern {
        headers.insert("mcp-method", method.parse().unwrap());
    }
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    context
        .set_principal(caller.principal.clone().unwrap())
        .unwrap();
    request
}

/// Asks for a list, which arrives in these pieces.
pub(crate) async fn ask(
    layer: RbacLayer,
    caller: &Caller,
    vector: &Vector,
    pieces: Vec<Bytes>,
) -> Listed {
    let mut answer = Response::builder()
        .status(vector.status)
        .header("content-type", &vector.media)
        .header("etag", "\"x\"")
        .header("cache-control", "public, max-age=600")
        .header("cdn-cache-control", "max-age=600")
        .header("content-length", vector.body.len());
    if let Some(encoding) = &vector.encoding {
        answer = answer.header("content-encoding", encoding);
    }
    let (head, ()) = answer.body(()).unwrap().into_parts();
    let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| {
        let (sender, body) = Frames::channel();
        for piece in &pieces {
            sender.data(piece.clone());
        }
        let answer = Response::from_parts(head.clone(), body);
        async { Ok::<_, Infallible>(answer) }
    });
    let mut request = request(caller, &vector.method, vector.modern);
    let context = SecurityContext::of(&mut request);
    let answer = layer.layer(inner).oneshot(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Listed {
        head,
        // What breaks off may do so inside of a character.
        body: String::from_utf8_lossy(&body).into_owned(),
        findings: context.open_trail().findings(),
    }
}

pub(crate) async fn whole(layer: RbacLayer, caller: &Caller, vector: &Vector) -> Listed {
    let body = Bytes::from(vector.body.clone());
    ask(layer, caller, vector, vec![body]).await
}

pub(crate) fn json_list(method: &str, body: Value) -> Vector {
    Vector {
        name: String::new(),
        ids: Vec::new(),
        method: method.to_owned(),
        modern: false,
        media: json_media(),
        encoding: None,
        status: 200,
        body: body.to_string(),
        seen: None,
        refused: false,
    }
}

pub(crate) fn stream_list(body: &str) -> Vector {
    Vector {
        media: "text/event-stream".to_owned(),
        body: body.to_owned(),
        ..json_list("tools/list", json!({}))
    }
}

#[tokio::test]
async fn ta_2_ta_4_n_14_each_vector_is_seen_as_it_says_however_it_is_cut() {
    for vector in vectors() {
        let name = &vector.name;
        let mut results = vec![whole(layer(), &viewer(), &vector).await];
        for size in [1, 2, 3, 7] {
            let pieces = vector.body.as_bytes().chunks(size);
            let pieces = pieces.map(Bytes::copy_from_slice).collect();
            results.push(ask(layer(), &viewer(), &vector, pieces).await);
        }
        for listed in results {
            let is_stream = vector.media.starts_with("text/event-stream");
            let mut body = listed.body.as_str();
            if vector.refused && is_stream && listed.head.status == 200 {
                let error = body.find(r#"data: {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"#);
                if vector.method != "GET" {
                    body = &body[..error.unwrap_or_else(|| panic!("{name}: {body}"))];
                }
                let last = listed.findings.last().unwrap();
                assert_eq!((last.layer, last.kind), ("rbac", "internal"), "{name}");
            } else {
                assert_eq!(listed.is_refused(), vector.refused, "{name}: {body}");
            }
            match &vector.seen {
                Some(seen) => assert_eq!(body, seen, "{name}"),
                None if vector.refused => assert!(!body.contains("_note"), "{name}: {body}"),
                None => assert_eq!(body, vector.body, "{name}"),
            }
        }
    }
}

#[tokio::test]
async fn ta_2_two_principals_see_two_lists_and_one_always_the_same() {
    let tools = json!([{"name": "read_note"}, {"name": "delete_note"}, {"name": "unheard_of"}, {"name": "status"}]);
    let vector = json_list(
        "tools/list",
        json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}),
    );
    for (caller, names, noted) in [
        (viewer(), &["read_note", "status"][..], "2 of 4 tools"),
        (
            Caller::user(&["admin"], &[]),
            &["read_note", "delete_note", "status"],
            "3 of 4 tools",
        ),
        (Caller::user(&["nobody"], &[]), &["status"], "1 of 4 tools"),
    ] {
        for _ in 0..2 {
            let listed = whole(layer(), &caller, &vector).await;
            let body: Value = serde_json::from_str(&listed.body).unwrap();
            let tools = body["result"]["tools"].as_array().unwrap();
            let seen: Vec<_> = tools
                .iter()
                .map(|tool| tool["name"].as_str().unwrap())
                .collect();
            assert_eq!(seen, names);
            assert_eq!(listed.noted(), [noted]);
            assert!(!listed.head.headers.contains_key("etag"));
            assert!(!listed.head.headers.contains_key("content-length"));
            assert_eq!(listed.head.headers["cache-control"], "private, no-store");
            assert!(!listed.head.headers.contains_key("cdn-cache-control"));
        }
    }
}

#[tokio::test]
async fn who_is_nobody_sees_what_anybody_may_use() {
    let policy = Policy::enterprise()
        .rule(bartizan_rbac::Rule::method("tools/list").anyone())
        .rule(bartizan_rbac::Rule::tool("status").anyone())
        .rule(bartizan_rbac::Rule::tool("whoami").identified())
        .without_baseline()
        .build()
        .unwrap();
    let tools = json!([{"name": "whoami"}, {"name": "status"}]);
    let vector = json_list(
        "tools/list",
        json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}),
    );
    let listed = whole(RbacLayer::new(policy), &Caller::anonymous(), &vector).await;
    assert!(listed.body.contains("status"), "{}", listed.body);
    assert!(!listed.body.contains("whoami"), "{}", listed.body);
}

#[tokio::test]
async fn what_only_scopes_are_missing_for_is_shown_unless_that_is_switched_off() {
    let tools = json!([{"name": "edit_note"}, {"name": "read_note"}]);
    let vector = json_list(
        "tools/list",
        json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}),
    );
    let listed = whole(layer(), &viewer(), &vector).await;
    assert_eq!(listed.noted(), ["2 of 2 tools"]);
    assert_eq!(listed.body, vector.body);
    assert!(listed.head.headers.contains_key("etag"), "nothing changed");
    let listed = whole(layer().hide_without_scopes(), &viewer(), &vector).await;
    assert_eq!(listed.noted(), ["1 of 2 tools"]);
    let scoped = Caller::user(&["viewer"], &["notes.admin"]);
    let listed = whole(layer().hide_without_scopes(), &scoped, &vector).await;
    assert_eq!(listed.noted(), ["2 of 2 tools"]);
}

#[tokio::test]
async fn without_filtering_everybody_sees_everything() {
    for vector in vectors() {
        let listed = whole(layer().without_list_filtering(), &viewer(), &vector).await;
        assert_eq!(listed.body, vector.body, "{}", vector.name);
        assert!(listed.noted().is_empty());
    }
}

#[tokio::test]
async fn an_answer_or_an_event_beyond_the_bound_is_refused_and_one_at_it_is_not() {
    let body = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "read_note"}]}});
    let json = json_list("tools/list", body.clone());
    let stream = stream_list(&format!("data: {body}\n\n: more\n\ndata: {body}\n\n"));
    let event = format!("data: {body}\n\n").len();
    for (vector, length) in [(json, body.to_string().len()), (stream, event)] {
        for size in [3, usize::MAX] {
            let size = size.min(vector.body.len());
            let pieces = vector.body.as_bytes().chunks(size);
            let pieces: Vec<_> = pieces.map(Bytes::copy_from_slice).collect();
            let fits = layer().list_bytes(length).unwrap();
            let listed = ask(fits, &viewer(), &vector, pieces.clone()).await;
            assert_eq!(listed.body, vector.body);
            let tight = layer().list_bytes(length - 1).unwrap();
            let listed = ask(tight, &viewer(), &vector, pieces).await;
            assert!(listed.body.contains("-32603"), "{}", listed.body);
            assert!(!listed.body.contains("read_note"), "{}", listed.body);
            let reason = &listed.findings.last().unwrap().reason;
            assert!(reason.contains("too large"), "{reason}");
        }
    }
    for bytes in [0, (1 << 30) + 1] {
        let error = layer().list_bytes(bytes).unwrap_err().to_string();
        assert!(error.contains(&format!("`{bytes}`")), "{error}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_utf_8_are_refused() {
    let body = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[],\"x\":\"\xff\"}}";
    let vector = json_list("tools/list", json!({}));
    let listed = ask(layer(), &viewer(), &vector, vec![Bytes::from_static(body)]).await;
    assert!(listed.is_refused());
    let event = [b"data: ".as_slice(), body, b"\n\n"].concat();
    let listed = ask(layer(), &viewer(), &stream_list(""), vec![event.into()]).await;
    assert!(listed.body.contains("-32603") && !listed.body.contains("tools"));
}

#[test]
fn how_many_elements_a_list_has_costs_no_allocations() {
    let allocations = |count: usize| {
        let tool = |n: usize| json!({"name": format!("read{n}_note"), "x": [{"y": n}]});
        let tools: Vec<_> = (0..count).map(tool).chain([json!({"name": "x"})]).collect();
        let body = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}});
        let vector = json_list("tools/list", body);
        let body = Bytes::from(vector.body.clone());
        let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| {
            let answer = Response::builder().header("content-type", "application/json");
            let answer = answer.body(Full::new(body.clone())).unwrap();
            async { Ok::<_, Infallible>(answer) }
        });
        let service = layer().layer(inner);
        let request = request(&viewer(), "tools/list", false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let counted = allocation_counter::measure(|| {
            let answer = runtime.block_on(service.oneshot(request)).unwrap();
            assert_eq!(answer.status(), 200);
        });
        counted.count_total
    };
    allocations(10);
    assert_eq!(allocations(10), allocations(200));
}

#[tokio::test]
async fn on_a_stream_of_the_servers_own_what_might_be_taken_for_events_is_refused() {
    let body = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"delete_note\"}]}}\n\n";
    for (media, status) in [("text/plain, text/event-stream", 500), ("text/html", 200)] {
        let mut vector = stream_list(body);
        vector.method = "GET".to_owned();
        vector.media = media.to_owned();
        let listed = whole(layer(), &viewer(), &vector).await;
        assert_eq!(listed.head.status, status, "{media}");
    }
}

/// A service whose answers the test gives frame by frame.
async fn scripted(media: &'static str) -> (FrameSender, Response<ResponseBody<ListBody<Frames>>>) {
    let (inner, mut exchanges) = Scripted::<Infallible>::new();
    let request = request(&viewer(), "tools/list", false);
    let answer = tokio::spawn(layer().layer(inner).oneshot(request));
    let head = Response::builder().header("content-type", media);
    let sender = exchanges.next().await.respond(head.body(()).unwrap());
    if media == "application/json" {
        sender.fail();
    }
    (sender, answer.await.unwrap().unwrap())
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused_where_that_is_still_possible() {
    let (_, answer) = scripted("application/json").await;
    assert_eq!(answer.status(), 500);
    let denial = answer.extensions().get::<bartizan_core::Denial>().unwrap();
    assert_eq!(denial.kind(), DenialKind::Internal);
    let (sender, answer) = scripted("text/event-stream").await;
    sender.fail();
    let mut body = Box::pin(answer.into_body());
    assert!(body.frame().await.unwrap().is_err());
    assert!(body.frame().await.is_none(), "asked once more");
}

#[tokio::test]
async fn ph_4_an_event_arrives_before_the_list_does_and_a_comment_at_once() {
    let (sender, answer) = scripted("text/event-stream").await;
    assert_eq!(answer.status(), 200);
    let mut body = Box::pin(answer.into_body());
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"tools":7}}"#;
    for sent in [": alive\n", "\n", "id: 1\nretry: 3\ndata:\n\n"] {
        sender.data(sent);
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame, sent);
    }
    sender.event(progress);
    let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(frame, format!("data: {progress}\n\n"));
    sender.data("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"delete");
    let waits = tokio::time::timeout(Duration::from_millis(20), body.frame()).await;
    assert!(waits.is_err(), "half an event");
    sender.data("_note\"}]}}\n\n");
    let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(
        frame,
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[]}}\n\n"
    );
    assert!(!sender.is_dropped());
    sender.event("{");
    let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(String::from_utf8_lossy(&frame).contains("-32603"));
    assert!(sender.is_dropped(), "nobody listens any more");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn trailers_of_a_stream_say_nothing_of_the_body_that_was() {
    let (sender, answer) = scripted("text/event-stream").await;
    let mut trailers = http::HeaderMap::new();
    for name in ["content-digest", "repr-digest", "etag", "x-took"] {
        trailers.insert(name, "7".parse().unwrap());
    }
    sender.trailers(trailers);
    drop(sender);
    let body = answer.into_body().collect().await.unwrap();
    let trailers = body.trailers().unwrap();
    assert_eq!(
        (trailers.len(), &trailers["x-took"]),
        (1, &"7".parse().unwrap())
    );
}

/// What a client reads out of an event stream, by a naive reading.
pub(crate) fn messages(stream: &str) -> Vec<String> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let (mut messages, mut data) = (Vec::new(), Vec::new());
    for line in stream.split('\n') {
        if line.is_empty() {
            let message = std::mem::take(&mut data).join("\n");
            messages.extend((!message.trim().is_empty()).then_some(message));
        } else if let ("data", value) = line.split_once(':').unwrap_or((line, "")) {
            data.push(value.strip_prefix(' ').unwrap_or(value));
        }
    }
    messages
}

#[tokio::test]
async fn an_event_that_was_cut_ends_where_it_ended_whatever_its_line_ends() {
    let list = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"delete_note"}"#;
    for event in [
        // What is written instead ends with a return, and the event's end is a feed.
        format!("data: {list}]}}}}\rdata\n\n"),
        // The line that stood between is gone.
        format!("data: {list}\nid: 7\rdata: ]}}}}\n\n"),
    ] {
        let vector = stream_list(&event.repeat(2));
        let body = whole(layer(), &viewer(), &vector).await.body;
        let messages = messages(&body);
        assert_eq!(messages.len(), 2, "{body:?}");
        for message in messages {
            let seen: Value = serde_json::from_str(&message).unwrap();
            assert_eq!(seen["result"]["tools"], json!([]));
        }
    }
}

pub(crate) fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"delete_note\"},{\"name\":\"read_note\"}]}}".to_owned()),
        Just("data:{\"jsonrpc\":\"2.0\",\"method\":\"x\"}".to_owned()),
        Just("data: {\"jsonrpc\":\"2.0\",\"id\":1,".to_owned()),
        Just("data:\"result\":{\"tools\":[{\"name\":\"delete_note\"}]}}".to_owned()),
        Just("data".to_owned()),
        Just("id: 7".to_owned()),
        Just(": comment".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\r\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("\r\r\n".to_owned()),
        "[ -~]{0,3}",
    ]
}

proptest! {
    #[test]
    fn a_stream_says_the_same_however_it_is_cut(
        pieces in prop::collection::vec(piece(), 0..24),
        sizes in prop::collection::vec(1..40_usize, 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let vector = stream_list(&pieces.concat());
        let mut rest = vector.body.as_bytes();
        let mut cut = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            cut.push(Bytes::copy_from_slice(piece));
            rest = after;
        }
        let (one, other) = runtime.block_on(async {
            (
                whole(layer(), &viewer(), &vector).await.body,
                ask(layer(), &viewer(), &vector, cut).await.body,
            )
        });
        let told = |body: &str| match body.split_once("\"correlationId\"") {
            Some((before, _)) => before.to_owned(),
            None => body.to_owned(),
        };
        prop_assert_eq!(told(&one), told(&other));
        for message in messages(&one) {
            let seen: Value = serde_json::from_str(&message).unwrap();
            prop_assert!(!seen["result"].to_string().contains("delete_note"), "{}", one);
        }
    }

    #[test]
    fn of_a_list_those_stay_byte_for_byte_that_the_policy_admits(
        names in prop::collection::vec("(read|delete|x)_(note|file)|status|whoami", 0..20),
        spaces in prop::collection::vec("[ \n\t]{0,2}", 41),
        is_modern: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let element = |(index, name): (usize, &String)| {
            format!("{{\"x\":[{{\"name\":{index}}}],{}\"name\":\"{name}\"}}", spaces[index])
        };
        let elements: Vec<_> = names.iter().enumerate().map(element).collect();
        let spaced = elements.iter().zip(&spaces[20..]).map(|(element, space)| format!("{space}{element}{space}"));
        let list = spaced.collect::<Vec<_>>().join(",");
        let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"cacheScope\":\"public\",\"tools\":[{list}]}}}}");
        let mut vector = json_list("tools/list", json!({}));
        vector.body = body;
        vector.modern = is_modern;
        let listed = runtime.block_on(whole(layer(), &viewer(), &vector));
        let seen: Value = serde_json::from_str(&listed.body).unwrap();
        prop_assert_eq!(&seen["result"]["cacheScope"], "private");
        let policy = notes();
        let principal = viewer().principal.unwrap();
        let admitted = |name: &str| {
            let operation = bartizan_rbac::Operation::tool(name);
            policy.decide(Some(&principal), &operation).is_admitted()
        };
        let kept: Vec<_> = names.iter().filter(|name| admitted(name)).collect();
        let shown = seen["result"]["tools"].as_array().unwrap();
        prop_assert_eq!(shown.len(), kept.len());
        for (element, name) in elements.iter().zip(&names) {
            prop_assert_eq!(listed.body.contains(element), admitted(name));
        }
    }
}
