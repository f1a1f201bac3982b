//! What an approval is for: this call of this party, byte for byte.

use bartizan_core::Principal;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;

use crate::{
    approvals::{I, Stage, ann, bob, send},
    common::raw,
};

fn call(params: &str) -> Request<Full<Bytes>> {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    raw(body)
}

const APPROVED: &str = r#"{"name":"delete_note","arguments":{"id":7,"path":"/a/b"}}"#;

/// Sent once `APPROVED` is: whether it passes by that.
const CALLS: &[(&str, &str, bool)] = &[
    ("the same", APPROVED, true),
    (
        "space around members",
        "{ \"name\" : \"delete_note\" ,\n\"arguments\": {\"id\":7,\"path\":\"/a/b\"} }",
        true,
    ),
    (
        "an escape in a member's name",
        r#"{"name":"delete_note","\u0061rguments":{"id":7,"path":"/a/b"}}"#,
        true,
    ),
    (
        "its progress token",
        r#"{"name":"delete_note","arguments":{"id":7,"path":"/a/b"},"_meta":{"progressToken":9,"traceparent":"x","tracestate":"y"}}"#,
        true,
    ),
    (
        "another value",
        r#"{"name":"delete_note","arguments":{"id":8,"path":"/a/b"}}"#,
        false,
    ),
    (
        "another tool",
        r#"{"name":"delete_file","arguments":{"id":7,"path":"/a/b"}}"#,
        false,
    ),
    (
        "another order of arguments",
        r#"{"name":"delete_note","arguments":{"path":"/a/b","id":7}}"#,
        false,
    ),
    (
        "another order of members",
        r#"{"arguments":{"id":7,"path":"/a/b"},"name":"delete_note"}"#,
        false,
    ),
    (
        "space among arguments",
        r#"{"name":"delete_note","arguments":{"id": 7,"path":"/a/b"}}"#,
        false,
    ),
    (
        "an escape in an argument",
        r#"{"name":"delete_note","arguments":{"id":7,"path":"\/a/b"}}"#,
        false,
    ),
    (
        "an escape in the name of the tool",
        r#"{"name":"delete\u005fnote","arguments":{"id":7,"path":"/a/b"}}"#,
        false,
    ),
    (
        "an escape in the name of an argument",
        r#"{"name":"delete_note","arguments":{"\u0069d":7,"path":"/a/b"}}"#,
        false,
    ),
    (
        "the same number otherwise",
        r#"{"name":"delete_note","arguments":{"id":7.0,"path":"/a/b"}}"#,
        false,
    ),
    (
        "a number as text",
        r#"{"name":"delete_note","arguments":{"id":"7","path":"/a/b"}}"#,
        false,
    ),
    (
        "one argument more",
        r#"{"name":"delete_note","arguments":{"id":7,"path":"/a/b","all":true}}"#,
        false,
    ),
    (
        "one argument less",
        r#"{"name":"delete_note","arguments":{"id":7}}"#,
        false,
    ),
    ("no arguments", r#"{"name":"delete_note"}"#, false),
    (
        "empty arguments",
        r#"{"name":"delete_note","arguments":{}}"#,
        false,
    ),
    (
        "as a task",
        r#"{"name":"delete_note","arguments":{"id":7,"path":"/a/b"},"task":{"ttl":1}}"#,
        false,
    ),
    (
        "n_16 with a state of the client's",
        r#"{"name":"delete_note","arguments":{"id":7,"path":"/a/b"},"requestState":"x"}"#,
        false,
    ),
    (
        "n_16 with answers to questions",
        r#"{"name":"delete_note","arguments":{"id":7,"path":"/a/b"},"inputResponses":{"a":{}}}"#,
        false,
    ),
    (
        "a member of _meta that a tool may read",
        r#"{"name":"delete_note","arguments":{"id":7,"path":"/a/b"},"_meta":{"acme/force":true}}"#,
        false,
    ),
    (
        "baggage, which a tool may read",
        r#"{"name":"delete_note","arguments":{"id":7,"path":"/a/b"},"_meta":{"baggage":"force=1"}}"#,
        false,
    ),
    (
        "a progress token that is none",
        r#"{"name":"delete_note","arguments":{"id":7,"path":"/a/b"},"progressToken":1}"#,
        false,
    ),
];

#[tokio::test]
async fn an_approval_is_for_the_bytes_that_were_shown() {
    for (what, params, passes) in CALLS {
        let stage = Stage::new();
        let id = stage.send(&ann(), call(APPROVED)).await.id();
        stage.approvals.approve(id, &bob()).unwrap();
        let answer = stage.send(&ann(), call(params)).await;
        if *passes {
            assert_eq!(answer.status, 200, "{what}");
        } else {
            assert_ne!(answer.id(), id, "{what}");
            assert_eq!(
                stage.send(&ann(), call(APPROVED)).await.status,
                200,
                "{what}"
            );
        }
    }
}

#[tokio::test]
async fn ta_4_what_could_be_read_in_two_ways_comes_to_no_approval() {
    let stage = Stage::new();
    for params in [
        r#"{"name":"delete_note","arguments":{"id":7},"arguments":{"id":8}}"#,
        r#"{"name":"delete_note","arguments":{"id":7,"id":8}}"#,
        r#"{"name":"delete_note","Arguments":{"id":7}}"#,
        r#"{"name":"delete_note","arguments":{"id":7},"_META":{}}"#,
    ] {
        let answer = stage.send(&ann(), call(params)).await;
        assert_eq!(answer.status, 400, "{params}");
    }
    assert!(stage.approvals.pending().is_empty());
}

#[tokio::test]
async fn tv_16_an_approval_is_one_partys_in_one_tenant() {
    let of = |issuer: &str, subject: &str| Principal::user(issuer, subject).roles(["admin"]);
    let asker = of(I, "ann").client_id("agent").tenant("acme");
    for other in [
        of(I, "ann").client_id("other").tenant("acme").build("jwt"),
        of(I, "ann").tenant("acme").build("jwt"),
        of(I, "ann").client_id("").tenant("acme").build("jwt"),
        of(I, "ann").client_id("agent").tenant("bcme").build("jwt"),
        of(I, "ann").client_id("agent").build("jwt"),
        of(I, "ann").client_id("agentacme").tenant("").build("jwt"),
        of(I, "anna").client_id("gent").tenant("acme").build("jwt"),
        of("https://b.example", "ann")
            .client_id("agent")
            .tenant("acme")
            .build("jwt"),
        Principal::service(I, "ann")
            .roles(["admin"])
            .client_id("agent")
            .tenant("acme")
            .build("jwt"),
    ] {
        let stage = Stage::new();
        let id = stage
            .send(&asker.clone().build("jwt"), call(APPROVED))
            .await
            .id();
        let bob = of(I, "bob").tenant("acme").build("jwt");
        stage.approvals.approve(id, &bob).unwrap();
        let theirs = stage.send(&other, call(APPROVED)).await;
        assert_ne!(theirs.id(), id, "{other:?}");
        // Another token of the same party.
        let again = asker.clone().credential_id("other").build("oauth");
        assert_eq!(stage.send(&again, call(APPROVED)).await.status, 200);
    }
}

#[tokio::test]
async fn the_same_call_under_another_request_id_passes() {
    let stage = Stage::new();
    let id = stage.send(&ann(), call(APPROVED)).await.id();
    stage.approvals.approve(id, &bob()).unwrap();
    let other = r#"{"jsonrpc":"2.0","id":"another","method":"tools/call","params":"#;
    let other = raw(format!("{other}{APPROVED}}}"));
    assert_eq!(send(&stage.layer, &ann(), other).await.status, 200);
}

#[tokio::test]
async fn who_approves_is_shown_all_of_it_in_ascii() {
    let stage = Stage::new();
    let params = "{\"name\":\"delete_note\",\"arguments\":{\"n\":1e400,\r\"p\":\"\u{202e}x\u{7f}\u{1f600}\"},\
                  \"_meta\":{\"progressToken\":1,\"acme/x\":[ ]}}";
    stage.send(&ann(), call(params)).await.id();
    let shown = stage.approvals.pending_for(&bob())[0].to_json();
    assert!(shown.bytes().all(|b| matches!(b, b' '..=b'~')), "{shown}");
    let expected = "\"params\":{\"name\":\"delete_note\",\"arguments\":{\"n\":1e400, \
                    \"p\":\"\\u202ex\\u007f\\ud83d\\ude00\"},\"_meta\":{\"acme/x\":[ ]}}";
    assert!(shown.contains(expected), "{shown}");
    let plain = shown.replace("1e400", "1");
    let read: Value = serde_json::from_str(&plain).unwrap();
    assert_eq!(read["asker"]["subject"], "ann");
    assert_eq!(read["params"]["arguments"]["p"], "\u{202e}x\u{7f}\u{1f600}");
}
