use serde_json::Value;

use crate::{
    list::{LISTS, POLICY, REFUSAL, ann, is_json, read, through, told},
    sse::messages,
};

/// An arbitrary answer to a request that is for no list, its frames as long as the first byte says: JSON
/// if it begins with a brace, or else an event stream.
///
/// It says the same however it was cut. By a naive reading nothing of it is a list with what the policy
/// does not admit, and what has no list's name in it, in whatever spelling, passes byte for byte.
pub fn answer(data: &[u8]) {
    let Some((&size, body)) = data.split_first() else {
        return;
    };
    let (status, out) = through(CALL, body, usize::from(size).max(1));
    let (again, other) = through(CALL, body, body.len().max(1));
    assert_eq!((status, told(&out)), (again, told(&other)), "by the cut");
    if is_json(body) {
        assert!(status == 200 || status == 500 && out.starts_with(REFUSAL));
        shows_nothing_forbidden(&out);
        if !may_name_list(body) {
            assert_eq!(out, body);
        }
        return;
    }
    assert_eq!(status, 200);
    for message in messages(&out) {
        shows_nothing_forbidden(&message);
    }
    if !may_name_list(body) {
        // What follows the last event's end is none.
        assert!(body.starts_with(&out));
        assert_eq!(messages(body), messages(&out));
    }
}

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

fn shows_nothing_forbidden(message: &[u8]) {
    let Ok(message) = read(message) else {
        return;
    };
    for (member, key, operation) in LISTS {
        let list = message.get("result").and_then(|result| result.get(member));
        let elements = list.and_then(Value::as_array).into_iter().flatten();
        for name in elements.filter_map(|element| element.get(key)?.as_str()) {
            let decision = POLICY.decide(Some(&ann()), &operation(name));
            assert!(decision.is_admitted(), "shows `{name}`");
        }
    }
}

/// Whether some parser could find a list's name in it.
fn may_name_list(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_lowercase();
    let names = LISTS.iter().map(|(member, ..)| member.to_lowercase());
    text.contains(['\\', '\u{17f}', '\0']) || names.into_iter().any(|name| text.contains(&name))
}
