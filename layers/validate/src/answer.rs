//! What the caller of a tool is answered whose arguments do not fit (IV-2).

use bartizan_core::{
    Call, CallKind, Denial, DenialKind, Disguise, call::Revision, write_json_string,
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};

use crate::violation::Violation;

/// Most violations that are told at once.
pub(crate) const TOLD: usize = 8;

/// The refusal of arguments: the result of a tool that failed, which the model reads (SEP-1303, TR-14). To a
/// notification, which has no result, it is an error of HTTP.
pub(crate) fn refused(call: &Call, violations: &[Violation]) -> Denial {
    let denial = Denial::new(DenialKind::ArgumentsInvalid, reason(violations));
    if call.kind() != CallKind::Request {
        return denial;
    }
    let mut text = "The arguments were refused, and the tool did not run.".to_owned();
    for violation in violations.iter().take(TOLD) {
        text.push_str("\n- ");
        text.push_str(&violation.to_string());
    }
    if violations.len() > TOLD {
        text.push_str("\n- and more");
    }
    denial.disguised(result(call, &text))
}

/// The refusal of a tool whose schema nobody knows: what servers say of tools that they do not have.
pub(crate) fn unknown(call: &Call) -> Denial {
    let denial = Denial::new(
        DenialKind::ParamsInvalid,
        "a tool whose schema nobody knows",
    );
    let message = "unknown tool";
    if call.kind() != CallKind::Request {
        return denial.with_message(message);
    }
    let body = body(call, |body| {
        body.push_str(r#""error":{"code":-32602,"message":"#);
        write_json_string(body, message);
        body.push('}');
    });
    denial.with_message(message).disguised(answer(body))
}

/// For the operator: rules only, since what they were broken by is the caller's.
fn reason(violations: &[Violation]) -> String {
    let rules = violations.iter().take(TOLD).map(Violation::rule);
    let rules = rules.collect::<Vec<_>>().join(", ");
    format!("arguments break {rules}")
}

fn result(call: &Call, text: &str) -> Disguise {
    answer(body(call, |body| {
        body.push_str(r#""result":{"content":[{"type":"text","text":"#);
        write_json_string(body, text);
        body.push_str(r#"}],"isError":true"#);
        // N-20
        if call.revision().is_some_and(Revision::is_modern) {
            body.push_str(r#","resultType":"complete""#);
        }
        body.push('}');
    }))
}

/// A response to the call's id.
pub(crate) fn body(call: &Call, write: impl FnOnce(&mut String)) -> String {
    let mut body = String::with_capacity(256);
    body.push_str(r#"{"jsonrpc":"2.0","#);
    if let Some(id) = call.id() {
        body.push_str(r#""id":"#);
        body.push_str(id);
        body.push(',');
    }
    write(&mut body);
    body.push('}');
    body
}

/// In JSON, with status 200.
pub(crate) fn answer(body: String) -> Disguise {
    Disguise {
        status: StatusCode::OK,
        headers: vec![
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ],
        body: body.into(),
        is_stream: false,
    }
}
