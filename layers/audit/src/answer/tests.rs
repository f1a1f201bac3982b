use proptest::{collection::vec, prelude::*};
use serde_json::Value;

use super::{Answer, Id, ResultType, Seen, events::Events, json::Scanner};

/// The text in pieces cut at these places.
fn pieces<'a>(text: &'a str, cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    let bytes = text.as_bytes();
    cuts.windows(2).map(|two| &bytes[two[0]..two[1]]).collect()
}

fn json(text: &str, cuts: &[usize], is_only: bool) -> (bool, Seen) {
    read(text, cuts, is_only, Id::Number("7"))
}

fn read(text: &str, cuts: &[usize], is_only: bool, ours: Id<'_>) -> (bool, Seen) {
    let mut scanner = Scanner::new(is_only);
    for piece in pieces(text, cuts) {
        scanner.feed(piece, ours);
    }
    (scanner.end(ours), scanner.seen)
}

fn events(text: &str, cuts: &[usize]) -> Seen {
    let mut events = Events::new();
    for piece in pieces(text, cuts) {
        events.feed(piece, Id::Text("é\"😀"));
    }
    events.seen
}

fn each_byte(text: &str) -> Vec<usize> {
    (0..text.len()).collect()
}

#[test]
fn failures_inside_of_a_200_are_seen_wherever_they_stand() {
    let complete = Some(ResultType("complete"));
    for (text, seen) in [
        (
            r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
            Some((Answer::Result, None)),
        ),
        (
            r#"{"result":{"isError":true,"content":[]},"id":7}"#,
            Some((Answer::ToolError, None)),
        ),
        (
            r#"{"result":{"isError":false,"resultType":"complete"}}"#,
            Some((Answer::Result, complete)),
        ),
        (
            r#"{"result":{"resultType":"\u0063omplete"}}"#,
            Some((Answer::Result, complete)),
        ),
        (
            r#"{"result":{"resultType":"quite another one"}}"#,
            Some((Answer::Result, Some(ResultType("other")))),
        ),
        (
            r#"{"\u0065rror":{"message":"no","code":-32602}}"#,
            Some((Answer::RpcError(Some(-32602)), None)),
        ),
        (
            r#"{"error":{"code":1.5}}"#,
            Some((Answer::RpcError(None), None)),
        ),
        (r#"{"error":"no"}"#, Some((Answer::RpcError(None), None))),
        (
            r#"{"error":[{"code":3}]}"#,
            Some((Answer::RpcError(None), None)),
        ),
        (
            r#"{"error":null,"result":{}}"#,
            Some((Answer::Result, None)),
        ),
        // Not where they would mean it.
        (
            r#"{"result":{"content":[{"isError":true,"error":{"code":1}}]}}"#,
            Some((Answer::Result, None)),
        ),
        (
            r#"{"result":{"a":{"isError":true},"b":"\"isError\":true"}}"#,
            Some((Answer::Result, None)),
        ),
        (
            r#"{"result":[{"isError":true}]}"#,
            Some((Answer::Result, None)),
        ),
        (
            r#"{"params":{"isError":true},"method":"x","result":{}}"#,
            None,
        ),
        (r#"{"isError":true,"code":1}"#, None),
        // Twice: the worse of the two.
        (
            r#"{"result":{"isError":true,"isError":false}}"#,
            Some((Answer::ToolError, None)),
        ),
        (
            r#"{"result":{},"error":{"code":1}}"#,
            Some((Answer::RpcError(Some(1)), None)),
        ),
    ] {
        assert_eq!(json(text, &[], true), (true, seen), "{text}");
        assert_eq!(json(text, &each_byte(text), true), (true, seen), "{text}");
    }
}

#[test]
fn of_several_answers_only_that_to_the_request_counts() {
    let ours = Some((Answer::RpcError(Some(2)), None));
    let batch = r#"[{"id":6,"result":{"isError":true}},{"id":7,"error":{"code":2}},{"id":"7","result":{}}]"#;
    assert_eq!(json(batch, &[], true), (true, ours));
    assert_eq!(
        json(
            r#"[{"id":70,"result":{}},[{"id":7,"result":{}}]]"#,
            &[],
            true
        ),
        (true, None)
    );
    assert_eq!(json(r#"{"id":8,"result":{}}"#, &[], false), (true, None));
}

#[test]
fn an_answer_in_a_stream_counts_once_its_event_has_ended() {
    let progress = "data: {\"method\":\"notifications/progress\"}\n\n: still here\n\n";
    let other = "id: 3\ndata: {\"id\":8,\"error\":{\"code\":1}}\n\n";
    let ours = "event: message\r\ndata:{\"id\":\"\\u00e9\\\"\\ud83d\\ude00\",\r\ndata: \"result\":{\"isError\":true}}\r\n\r\n";
    for (stream, seen) in [
        (
            format!("{progress}{other}{ours}"),
            Some((Answer::ToolError, None)),
        ),
        (format!("\u{feff}{ours}"), Some((Answer::ToolError, None))),
        (ours.replace('\n', ""), Some((Answer::ToolError, None))),
        (format!("{progress}{other}"), None),
        (ours.trim_end().to_owned(), None),
        (ours.replace("data", "Data"), None),
        (ours.replace("data", "datum"), None),
        (
            format!("data: [\n\n{ours}"),
            Some((Answer::ToolError, None)),
        ),
    ] {
        assert_eq!(events(&stream, &[]), seen, "{stream:?}");
        assert_eq!(events(&stream, &each_byte(&stream)), seen, "{stream:?}");
    }
}

#[test]
fn what_is_nested_too_deeply_is_not_read() {
    for (depth, is_json) in [(126, true), (127, false)] {
        let text = format!("{{\"result\":{}0{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(json(&text, &[], true).0, is_json, "{depth}");
    }
}

/// The same by a parser that keeps everything.
fn parsed(text: &str) -> (bool, Option<Answer>) {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return (false, None);
    };
    let is_there = |key| value.get(key).is_some();
    let error = value.get("error").filter(|error| !error.is_null());
    let answer = match (error, value.get("result")) {
        _ if is_there("method") => None,
        (Some(error), _) => Some(Answer::RpcError(error.get("code").and_then(Value::as_i64))),
        (None, Some(result)) if result.get("isError") == Some(&Value::Bool(true)) => {
            Some(Answer::ToolError)
        }
        (None, Some(_)) => Some(Answer::Result),
        (None, None) => None,
    };
    (true, answer)
}

/// JSON with what is looked at, where it means something and where it does not.
fn text() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "7",
        "\"7\"",
        "-12.5e+3",
        "-32602",
        "01",
        "1234567890123456789012345678901",
        "12345678901234567890123456789012",
        "123456789012345678901234567890123",
        "true",
        "false",
        "null",
        "nul",
        "\"\"",
        "\"task\"",
        "\"tas\\u006b\"",
        "\"input_required\"",
        "\"sixteen and some more\"",
        "\"\\\\\"",
        "\"a \\\"quote\\\" and {[:,]}\"",
    ]);
    let key = prop::sample::select(vec![
        "id",
        "method",
        "error",
        "result",
        "code",
        "isError",
        "resultType",
        "resul\\u0074",
        "x",
        "a key nobody looks at",
    ]);
    let space = prop::sample::select(vec!["", "", "", " ", "\n\t "]);
    let leaf = leaf.prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let member = (key.clone(), space.clone(), inner.clone());
        let member =
            member.prop_map(|(key, space, value)| format!("\"{key}\"{space}:{space}{value}"));
        prop_oneof![
            (vec(inner, 0..4), space.clone())
                .prop_map(|(values, space)| format!("[{}{space}]", values.join(","))),
            (vec(member, 0..6), space.clone()).prop_map(|(members, space)| format!(
                "{space}{{{}}}",
                members.join(&format!("{space},{space}"))
            )),
        ]
    })
}

proptest! {
    #[test]
    fn a_text_that_comes_in_one_piece_says_what_it_says_byte_by_byte(
        text in text(),
        changes in vec((any::<usize>(), 0..3_u8, prop::sample::select(b"\"\\{}[]:,07-.entu ".to_vec())), 0..4),
        cuts in vec(any::<usize>(), 0..4),
        is_only in any::<bool>(),
    ) {
        let mut bytes = text.into_bytes();
        for (at, how, byte) in changes {
            let at = at % (bytes.len() + 1);
            let until = at + usize::from(how > 0 && at < bytes.len());
            bytes.splice(at..until, (how < 2).then_some(byte));
        }
        let text = String::from_utf8(bytes).unwrap();
        for ours in [Id::Number("7"), Id::Text("7"), Id::None] {
            let expected = read(&text, &each_byte(&text), is_only, ours);
            prop_assert_eq!(read(&text, &[], is_only, ours), expected, "{}", text);
            prop_assert_eq!(read(&text, &cuts, is_only, ours), expected, "{}", text);
        }
        let line = text.replace('\n', " ");
        let stream = format!("data: {line}\n\n");
        prop_assert_eq!(events(&stream, &[]), events(&stream, &each_byte(&stream)), "{}", text);
    }

    #[test]
    fn what_is_read_in_pieces_is_what_a_parser_reads(
        tokens in vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"error\":", "\"result\":", "\"code\":", "\"isError\":",
                "\"method\":", "\"x\":", "true", "false", "null", "0", "-1", "1e2", "01", "\"a\\\"\"", " ", "\"",
            ]),
            0..14,
        ),
        wrap in 0u8..3,
        cuts in vec(any::<usize>(), 0..4),
    ) {
        let inner = tokens.concat();
        let text = match wrap {
            0 => inner,
            1 => format!("{{{inner}}}"),
            _ => format!("{{\"result\":{{{inner}}}}}"),
        };
        let (is_json, seen) = json(&text, &cuts, true);
        let (expected, answer) = parsed(&text);
        prop_assert_eq!(is_json, expected, "{}", text);
        // Of members that are there twice, that parser keeps the last.
        let is_twice = ["error", "result", "code", "isError"]
            .iter()
            .any(|key| text.matches(key).count() > 1);
        // A batch is none of that parser's.
        if is_json && !is_twice && !text.trim_start().starts_with('[') {
            prop_assert_eq!(seen.map(|(answer, _)| answer), answer, "{}", text);
        }
    }
}
