use std::fmt::Write;

use bartizan_core::{PrincipalKind, write_json_string};

use super::PendingApproval;

/// An approval that is pending, for who is to decide. All that is not visible ASCII is escaped, so that no
/// terminal acts on what a stranger sent, nor shows it as something else (AL-5).
pub(super) fn pending(pending: &PendingApproval, out: &mut String) {
    let start = out.len();
    let who = &pending.principal;
    let kind = match who.kind() {
        PrincipalKind::User => "user",
        PrincipalKind::Service => "service",
        _ => "other",
    };
    let id = pending.id;
    // A `String` takes every write.
    let _ = write!(out, r#"{{"id":"{id}","asker":{{"kind":"{kind}""#);
    member(out, "issuer", Some(who.issuer()));
    member(out, "subject", Some(who.subject()));
    member(out, "client", who.client_id());
    member(out, "tenant", who.tenant());
    out.push('}');
    member(out, "method", Some(pending.call.method()));
    member(out, "name", pending.call.name());
    let _ = write!(
        out,
        r#","params":{},"asked_at":{},"expires_in":{}}}"#,
        pending.params(),
        pending.asked_at.as_secs(),
        pending.expires_in.as_secs(),
    );
    escape(out, start);
}

fn member(out: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = write!(out, r#","{name}":"#);
        write_json_string(out, value);
    }
}

/// In JSON text, what is not ASCII stands in strings only, and line breaks and tabs between values only.
fn escape(out: &mut String, start: usize) {
    let is_plain = |c: char| matches!(c, ' '..='~');
    if out
        .get(start..)
        .is_none_or(|text| text.chars().all(is_plain))
    {
        return;
    }
    let text = out.split_off(start);
    for c in text.chars() {
        match c {
            ' '..='~' => out.push(c),
            '\n' | '\r' | '\t' => out.push(' '),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
}
