use bartizan_core::DenialKind;
use bartizan_kit::{Revision, call_tool, post};
use bartizan_validate::{ArgumentLimits, Characters};
use serde_json::{Value, json};

use crate::common::{ask, call, open, written};

#[tokio::test]
async fn iv_6_what_exceeds_a_limit_is_told_with_its_place_and_without_its_value() {
    let limits = ArgumentLimits::new()
        .with_depth(3)
        .and_then(|limits| limits.with_members(2))
        .and_then(|limits| limits.with_elements(2))
        .and_then(|limits| limits.with_values(9))
        .and_then(|limits| limits.with_string_bytes(9))
        .and_then(|limits| limits.with_name_bytes(3))
        .and_then(|limits| limits.with_numbers(-5.0, 1e9))
        .unwrap();
    let layer = open().limits(limits.with_safe_integers());
    for (arguments, told) in [
        (r#"{"a":[[]]}"#, None),
        (
            r#"{"a":{"b":[[]]}}"#,
            Some("`/a/b/0`: no deeper than 3 levels"),
        ),
        (r#"{"a":1,"b":2}"#, None),
        (
            r#"{"a":1,"b":2,"c":3}"#,
            Some("the arguments: no more than 2 members"),
        ),
        (r#"{"a":[1,2]}"#, None),
        (r#"{"a":[1,2,3]}"#, Some("`/a`: no more than 2 elements")),
        (r#"{"a":[[1,2],[1,2]],"b":1}"#, None),
        (
            r#"{"a":[[1,2],[1,2]],"b":[1,2]}"#,
            Some("`/b/0`: no more than 9 values"),
        ),
        (r#"{"a":"123456789"}"#, None),
        (
            r#"{"a":["s3cret s3cret"]}"#,
            Some("`/a/0`: no more than 9 bytes"),
        ),
        (
            r#"{"a":"\u20ac\u20ac\u20ac\u20ac"}"#,
            Some("`/a`: no more than 9 bytes"),
        ),
        (r#"{"abc":1}"#, None),
        (
            r#"{"abcd":1}"#,
            Some("the arguments: a name has more than 3 bytes"),
        ),
        (r#"{"a":-5}"#, None),
        (
            r#"{"a":-5.1}"#,
            Some("`/a`: a number from -5 to 1000000000"),
        ),
        (
            r#"{"a":1e10}"#,
            Some("`/a`: a number from -5 to 1000000000"),
        ),
        (
            r#"{"a":"x\u0000"}"#,
            Some("`/a`: it must not have a control"),
        ),
        (
            r#"{"a":"x\u202ey"}"#,
            Some("`/a`: it must not have a character that changes the direction"),
        ),
        (
            r#"{"a\n":1}"#,
            Some("the arguments: a name must not have a line break"),
        ),
        (r#"{"a~b":{"c/d":[]}}"#, None),
    ] {
        let answer = call(&layer, "t", arguments).await;
        match told {
            None => assert!(answer.ran(), "{arguments}"),
            Some(told) => {
                assert!(!answer.ran(), "{arguments}");
                assert!(answer.told().contains(told), "{}", answer.told());
                assert!(!answer.body.to_string().contains("s3cret"));
                assert!(!answer.reason().contains("s3cret"));
            }
        }
    }
}

#[tokio::test]
async fn a_pointer_escapes_what_stands_in_names() {
    let limits = ArgumentLimits::new().with_string_bytes(1).unwrap();
    let layer = open().limits(limits);
    let answer = call(&layer, "t", r#"{"a~b":{"c/d":["xx"]}}"#).await;
    assert!(
        answer.told().contains("`/a~0b/c~1d/0`:"),
        "{}",
        answer.told()
    );
}

#[tokio::test]
async fn iv_12_numbers_that_readers_take_for_different_ones_are_refused() {
    let layer = open();
    for (arguments, passes) in [
        (r#"{"n":1e400}"#, false),
        (r#"{"n":-1e400}"#, false),
        (r#"{"n":[18446744073709551616]}"#, false),
        (r#"{"n":1e308}"#, true),
        (r#"{"n":9007199254740993}"#, true),
        (r#"{"n":18446744073709551615}"#, true),
    ] {
        assert_eq!(
            call(&layer, "t", arguments).await.ran(),
            passes,
            "{arguments}"
        );
    }
    let safe = open().limits(ArgumentLimits::new().with_safe_integers());
    let answer = call(&safe, "t", r#"{"n":9007199254740993}"#).await;
    assert!(answer.told().contains("`/n`: no integer beyond"));
}

#[tokio::test]
async fn iv_2_the_refusal_is_the_result_of_a_tool_that_failed() {
    let limits = ArgumentLimits::new().with_string_bytes(3).unwrap();
    let layer = open().limits(limits);
    for revision in Revision::ALL {
        let request = call_tool(revision, "t", json!({"a": "abcd"})).id("seven");
        let answer = ask(&layer, request).await;
        assert_eq!(answer.body["id"], "seven");
        assert!(answer.told().contains("`/a`"));
        // N-20
        let due = revision.is_modern().then_some("complete");
        assert_eq!(answer.body["result"]["resultType"].as_str(), due);
        let kind = answer.denial.as_ref().map(bartizan_core::Denial::kind);
        assert_eq!(kind, Some(DenialKind::ArgumentsInvalid));
        assert_eq!(answer.reason(), "arguments break string_bytes");
    }
    let notice = call_tool(Revision::V2025_11_25, "t", json!({"a": "abcd"})).notification();
    let answer = ask(&layer, notice).await;
    assert_eq!((answer.status.as_u16(), answer.ran()), (400, false));
}

#[tokio::test]
async fn iv_12_what_passes_goes_on_byte_for_byte() {
    let odd = r#"{ "n" : 1.50e+0 , "s":"\u0061\/" ,"o":{}, "b":[ true,null ] }"#;
    let request = written("t", odd);
    let sent = request.bytes();
    let answer = ask(&open(), request).await;
    assert_eq!(answer.echo.only().body, sent);
}

#[tokio::test]
async fn limits_are_those_of_the_tool_and_of_nothing_but_tools() {
    let strict = ArgumentLimits::new().with_string_bytes(1).unwrap();
    let wide = ArgumentLimits::new().with_characters(Characters::any());
    let layer = open().limits(strict).tool_limits("write", wide);
    assert!(!call(&layer, "t", r#"{"a":"bb"}"#).await.ran());
    assert!(call(&layer, "write", r#"{"a":"b\u0000b"}"#).await.ran());
    let list = post(
        Revision::V2025_11_25,
        "tools/list",
        json!({"cursor": "abc"}),
    );
    assert!(ask(&layer, list).await.ran());
    for none in ["null", "{}"] {
        assert!(call(&layer, "t", none).await.ran());
    }
}

#[tokio::test]
async fn iv_11_a_call_that_is_made_again_is_judged_by_its_arguments_again() {
    let limits = ArgumentLimits::new().with_string_bytes(3).unwrap();
    let layer = open().limits(limits);
    for (text, passes) in [("abc", true), ("abcd", false)] {
        let request = call_tool(Revision::V2026_07_28, "t", json!({"a": text}));
        let mut body: Value = serde_json::from_slice(&request.bytes()).unwrap();
        body["params"]["requestState"] = json!("opaque");
        body["params"]["inputResponses"] =
            json!({"who": {"action": "accept", "content": {"name": "Ann"}}});
        let answer = ask(&layer, request.body(body.to_string())).await;
        assert_eq!(answer.ran(), passes, "{text}");
    }
}
