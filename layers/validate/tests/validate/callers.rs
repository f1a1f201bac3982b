//! Lists that differ by who asks for them.

use std::time::Duration;

use bartizan_core::{Denial, DenialKind, Principal, identify};
use bartizan_kit::{Revision, call_tool};
use bartizan_validate::{Learning, OnChange, Validate, ValidateLayer};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

use crate::server::{Own, Server, tool};

type Guarded = Validate<Server>;

/// What becomes of a call by somebody.
async fn kind(service: &Guarded, who: &str, name: &str, arguments: Value) -> Option<DenialKind> {
    let mut request = call_tool(Revision::V2025_11_25, name, arguments)
        .header("mcp-session-id", format!("of-{who}"))
        .build();
    if !who.starts_with("nobody") {
        identify(&mut request, Principal::user("i", who).build("test")).unwrap();
    }
    let response = service.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    body.collect().await.unwrap();
    head.extensions.get().map(Denial::kind)
}

fn named() -> Value {
    json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]})
}

fn tools(names: &[&str]) -> Own {
    Own::Tools(names.iter().map(|name| tool(name, &named())).collect())
}

fn server(own: &[(&str, Own)]) -> Server {
    let server = Server::default();
    server.state().pages = vec![json!([])];
    server.state().own = own
        .iter()
        .map(|(who, own)| ((*who).to_owned(), own.clone()))
        .collect();
    server
}

const UNKNOWN: Option<DenialKind> = Some(DenialKind::ParamsInvalid);
const REFUSED: Option<DenialKind> = Some(DenialKind::ArgumentsInvalid);
const NO_LIST: Option<DenialKind> = Some(DenialKind::Unavailable);

#[tokio::test(start_paused = true)]
async fn a_list_that_lacks_a_tool_takes_it_from_nobody() {
    let server = server(&[("ann", tools(&["a", "b"])), ("bob", tools(&["a"]))]);
    let service = ValidateLayer::new().layer(server.clone());
    assert_eq!(kind(&service, "ann", "b", json!({"name": "x"})).await, None);
    tokio::time::advance(Duration::from_secs(301)).await;
    assert_eq!(kind(&service, "bob", "a", json!({"name": "x"})).await, None);
    assert_eq!(server.counts(), (2, 2), "bob's list was asked for");
    for who in ["ann", "bob"] {
        assert_eq!(kind(&service, who, "b", json!({"name": "x"})).await, None);
        assert_eq!(kind(&service, who, "b", json!({"name": 7})).await, REFUSED);
    }
}

#[tokio::test(start_paused = true)]
async fn whom_a_tool_is_listed_to_finds_it_at_once_whoever_asked_before() {
    let server = server(&[("ann", tools(&["a", "b"])), ("bob", tools(&["a"]))]);
    let service = ValidateLayer::new().layer(server.clone());
    assert_eq!(
        kind(&service, "bob", "b", json!({"name": "x"})).await,
        UNKNOWN
    );
    for _ in 0..3 {
        assert_eq!(kind(&service, "ann", "b", json!({"name": "x"})).await, None);
        assert_eq!(kind(&service, "bob", "a", json!({"name": "x"})).await, None);
    }
    assert_eq!(server.counts().0, 2, "each asked once");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_not_done_with_by_the_list_of_a_caller_who_does_not_see_it() {
    let server = server(&[("ann", tools(&["a", "b"])), ("bob", tools(&["a"]))]);
    let service = ValidateLayer::new().layer(server.clone());
    assert_eq!(kind(&service, "ann", "b", json!({"name": "x"})).await, None);
    tokio::time::advance(Duration::from_secs(11)).await;
    let stricter = json!({"type": "object", "properties": {"name": {"const": "y"}}});
    let both = json!([tool("a", &named()), tool("b", &stricter)]);
    server
        .state()
        .own
        .insert("ann".to_owned(), Own::Tools(both));
    server.state().is_stream = true;
    server.state().notes =
        vec![json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})];
    assert_eq!(kind(&service, "bob", "a", json!({"name": "x"})).await, None);
    server.state().notes.clear();
    assert_eq!(kind(&service, "bob", "a", json!({"name": "x"})).await, None);
    assert_eq!(server.counts().0, 2, "bob's list was asked for");
    // Who is not listed the tool asks for nothing better, and no more often.
    for _ in 0..3 {
        assert_eq!(kind(&service, "bob", "b", json!({"name": "x"})).await, None);
    }
    assert_eq!(server.counts().0, 2);
    for _ in 0..3 {
        assert_eq!(
            kind(&service, "ann", "b", json!({"name": "x"})).await,
            REFUSED
        );
    }
    assert_eq!(server.counts().0, 3, "ann's was");
}

#[tokio::test(start_paused = true)]
async fn names_that_nobody_knows_make_few_ask_however_many_callers_name_them() {
    let server = server(&[]);
    let service = ValidateLayer::new().layer(server.clone());
    for n in 0..100 {
        let who = format!("caller{n}");
        assert_eq!(kind(&service, &who, "none", json!({})).await, UNKNOWN);
    }
    assert!(server.counts().0 <= 16, "{:?}", server.counts());
}

#[tokio::test(start_paused = true)]
async fn who_registers_many_clients_keeps_nobody_elses_tools_unknown() {
    let server = server(&[("ann", tools(&["b"]))]);
    let service = ValidateLayer::new().layer(server.clone());
    for client in 0..20 {
        let mut request = call_tool(Revision::V2025_11_25, "no", json!({})).build();
        let eve = Principal::user("i", "eve").client_id(&format!("c{client}"));
        identify(&mut request, eve.build("test")).unwrap();
        service.clone().oneshot(request).await.unwrap();
    }
    assert!(server.counts().0 <= 5, "{:?}", server.counts());
    assert_eq!(kind(&service, "ann", "b", json!({"name": "x"})).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_no_list_has_any_more_is_forgotten_after_its_own_time() {
    let server = server(&[("ann", tools(&["a", "b"]))]);
    let how = Learning::new().stale(Duration::from_secs(1000)).unwrap();
    let service = ValidateLayer::new().learning(how).layer(server.clone());
    assert_eq!(kind(&service, "ann", "b", json!({"name": "x"})).await, None);
    server.state().own.insert("ann".to_owned(), tools(&["a"]));
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(310)).await;
        assert_eq!(kind(&service, "ann", "a", json!({"name": "x"})).await, None);
        let expected = match server.counts().0 {
            2..=5 => None,
            _ => UNKNOWN,
        };
        assert_eq!(
            kind(&service, "ann", "b", json!({"name": "x"})).await,
            expected
        );
    }
    assert_eq!(server.counts().0, 6);
}

#[tokio::test(start_paused = true)]
async fn ta_4_a_tool_that_is_listed_as_two_is_none_though_it_was_one_before() {
    let server = server(&[("ann", tools(&["a"]))]);
    let service = ValidateLayer::new().layer(server.clone());
    assert_eq!(kind(&service, "ann", "a", json!({"name": "x"})).await, None);
    let two = json!([tool("a", &json!({})), tool("a", &named())]);
    server.state().own.insert("ann".to_owned(), Own::Tools(two));
    tokio::time::advance(Duration::from_secs(301)).await;
    assert_eq!(
        kind(&service, "ann", "a", json!({"name": "x"})).await,
        UNKNOWN
    );
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_names_pushes_out_nothing_that_was_known_before() {
    let how = Learning::new().tools(4).unwrap();
    let server = server(&[("ann", tools(&["a", "b"]))]);
    let service = ValidateLayer::new().learning(how).layer(server.clone());
    assert_eq!(kind(&service, "ann", "a", json!({"name": "x"})).await, None);
    for round in 0..8 {
        let names: Vec<_> = (0..4).map(|n| format!("evil-{round}-{n}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        server.state().own.insert("eve".to_owned(), tools(&names));
        tokio::time::advance(Duration::from_secs(301)).await;
        assert_eq!(
            kind(&service, "eve", names[0], json!({"name": "x"})).await,
            None
        );
    }
    let listed = server.counts().0;
    assert_eq!(
        kind(&service, "ann", "b", json!({"name": 7})).await,
        REFUSED
    );
    assert!(server.counts().0 <= listed + 1);
    // Of what came later there is no more than so much.
    assert_eq!(
        kind(&service, "eve", "evil-5-3", json!({"name": "x"})).await,
        UNKNOWN
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_says_something_else_of_a_tool_follows_the_policy_whoever_asked() {
    let other = || Own::Tools(json!([tool("a", &json!({}))]));
    for (policy, expected) in [
        (OnChange::Report, None),
        (OnChange::Refuse, Some(DenialKind::Forbidden)),
    ] {
        let server = server(&[("ann", tools(&["a"])), ("eve", other())]);
        let service = ValidateLayer::new().on_change(policy).layer(server);
        assert_eq!(kind(&service, "ann", "a", json!({"name": "x"})).await, None);
        tokio::time::advance(Duration::from_secs(301)).await;
        assert_eq!(kind(&service, "eve", "a", json!({})).await, expected);
        assert_eq!(kind(&service, "ann", "a", json!({})).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_the_list_keeps_it_from_nobody_else() {
    for bad in [400, 401, 404, 500] {
        let server = server(&[("eve", Own::Refusal(bad)), ("ann", tools(&["a"]))]);
        let service = ValidateLayer::new().layer(server.clone());
        assert_eq!(
            kind(&service, "eve", "a", json!({})).await,
            NO_LIST,
            "{bad}"
        );
        assert_eq!(
            kind(&service, "eve", "a", json!({})).await,
            NO_LIST,
            "{bad}"
        );
        assert_eq!(
            server.counts().0,
            1,
            "who failed just now asks not again at once"
        );
        assert_eq!(
            kind(&service, "ann", "a", json!({"name": "x"})).await,
            None,
            "{bad}"
        );
        // Together, whoever is first.
        let service = ValidateLayer::new().layer(server.clone());
        let calls =
            ["eve", "eve", "ann", "eve"].map(|who| kind(&service, who, "a", json!({"name": "x"})));
        let kinds = futures_util::future::join_all(calls).await;
        assert_eq!(kinds[2], None, "{bad}");
    }
}

#[tokio::test(start_paused = true)]
async fn callers_without_a_name_are_told_apart_by_their_sessions() {
    let own = (0..100).map(|n| (format!("of-nobody{n}"), Own::Refusal(404)));
    let own: Vec<_> = own.collect();
    let own: Vec<_> = own
        .iter()
        .map(|(who, own)| (who.as_str(), own.clone()))
        .collect();
    let server = server(&own);
    server
        .state()
        .own
        .insert("of-nobody".to_owned(), tools(&["a"]));
    let service = ValidateLayer::new().layer(server.clone());
    for n in 0..100 {
        let who = format!("nobody{n}");
        assert_eq!(kind(&service, &who, "a", json!({})).await, NO_LIST);
    }
    assert_eq!(
        kind(&service, "nobody", "a", json!({"name": "x"})).await,
        None
    );
}

#[tokio::test(start_paused = true)]
async fn whose_list_never_comes_holds_up_nobody_else_for_long() {
    let server = server(&[("eve", Own::Silence), ("ann", tools(&["a"]))]);
    let service = ValidateLayer::new().layer(server.clone());
    let slow = (0..3).map(|_| kind(&service, "eve", "a", json!({})));
    let slow = futures_util::future::join_all(slow);
    let begun = tokio::time::Instant::now();
    let (slow, ann) = tokio::join!(slow, async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let kind = kind(&service, "ann", "a", json!({"name": "x"})).await;
        (kind, begun.elapsed())
    });
    assert_eq!(ann.0, None);
    assert!(ann.1 < Duration::from_secs(4), "{:?}", ann.1);
    assert_eq!(server.counts().0, 2, "eve asks once at a time");
    assert!(slow.iter().all(|kind| *kind == REFUSED || *kind == NO_LIST));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_asked_no_more_than_so_often() {
    let server = Server::default();
    server.state().instead = Some((500, String::new()));
    server.state().pages = vec![json!([])];
    let service = ValidateLayer::new().layer(server.clone());
    let callers: Vec<_> = (0..200).map(|n| format!("caller{n}")).collect();
    let calls = callers
        .iter()
        .map(|who| kind(&service, who, "a", json!({})));
    let kinds = futures_util::future::join_all(calls).await;
    assert!(kinds.iter().all(|kind| *kind == NO_LIST));
    assert!(server.counts().0 <= 16, "{:?}", server.counts());
}
