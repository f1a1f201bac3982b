//! What an approval is for, byte by byte.

use bartizan_core::{
    Call, Principal,
    call::{Broken, Tokens},
    write_json_string,
};
use sha2::{Digest, Sha256};

/// Which call of which party at which layer.
pub(super) type Bound = [u8; 32];

/// It is not what the reading of the call let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

impl From<Broken> for Unreadable {
    fn from(_: Broken) -> Self {
        Self
    }
}

/// Members of `_meta` that differ from one sending of a call to the next, and that no tool acts on.
const OF_ONE_SENDING: [&str; 3] = ["progressToken", "traceparent", "tracestate"];

/// What an approval of this call would be for: all of the party that asks (TV-16), its tenant, the method,
/// and the parameters as [`params`] shows them to who approves.
pub(super) fn bound(layer: u64, principal: &Principal, call: &Call) -> Result<Bound, Unreadable> {
    let params = params(call)?;
    let mut hash = Sha256::new();
    let mut add = |part: Option<&[u8]>| {
        // What is absent is told from what is empty, and where one part ends from where the next begins.
        hash.update([u8::from(part.is_some())]);
        let part = part.unwrap_or_default();
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    let kind = format!("{:?}", principal.kind());
    add(Some(&layer.to_be_bytes()));
    add(Some(kind.as_bytes()));
    add(Some(principal.issuer().as_bytes()));
    add(Some(principal.subject().as_bytes()));
    add(principal.client_id().map(str::as_bytes));
    add(principal.tenant().map(str::as_bytes));
    add(Some(call.method().as_bytes()));
    add(Some(params.as_bytes()));
    Ok(hash.finalize().into())
}

/// The parameters, as JSON text: each value byte for byte as it was sent, without what
/// [differs from one sending to the next](OF_ONE_SENDING).
pub(super) fn params(call: &Call) -> Result<String, Unreadable> {
    shown(call.params().unwrap_or("{}"))
}

fn shown(text: &str) -> Result<String, Unreadable> {
    let mut out = String::with_capacity(text.len());
    let mut json = Tokens::of(text);
    members(&mut json, &mut out, &mut |key, json, out| {
        if key != "_meta" || json.peek() != Some(b'{') {
            return Ok(false);
        }
        let start = out.len();
        write_member(out, key);
        let before = out.len();
        members(json, out, &mut |key, json, _| {
            let goes = OF_ONE_SENDING.contains(&key);
            if goes {
                json.skip()?;
            }
            Ok(goes)
        })?;
        // Nothing but these is as good as nothing at all.
        if out.get(before..) == Some("{}") {
            out.truncate(start);
        }
        Ok(true)
    })?;
    json.end()?;
    Ok(out)
}

type Take<'t> = dyn FnMut(&str, &mut Tokens<'_>, &mut String) -> Result<bool, Unreadable> + 't;

/// Writes an object member by member; those that `take` takes, it writes or leaves out itself.
fn members(json: &mut Tokens<'_>, out: &mut String, take: &mut Take<'_>) -> Result<(), Unreadable> {
    out.push('{');
    json.object(str::to_owned, |json, key| {
        if !take(&key, json, out)? {
            write_member(out, &key);
            out.push_str(json.value()?);
        }
        Ok::<_, Unreadable>(())
    })?;
    out.push('}');
    Ok(())
}

/// A member up to its value.
fn write_member(out: &mut String, key: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    write_json_string(out, key);
    out.push(':');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    /// What is left when a library leaves the same out.
    fn reference(mut params: Value) -> Value {
        if let Some(Value::Object(meta)) = params.get_mut("_meta") {
            for name in OF_ONE_SENDING {
                meta.remove(name);
            }
            if meta.is_empty()
                && let Some(params) = params.as_object_mut()
            {
                params.remove("_meta");
            }
        }
        params
    }

    #[test]
    fn values_stay_byte_for_byte_and_only_the_three_go() {
        for (text, expected) in [
            ("{}", "{}"),
            (" { } ", "{}"),
            (
                r#"{"a": [ 1e400 ,"\u0041"] , "b":{} }"#,
                r#"{"a":[ 1e400 ,"\u0041"],"b":{}}"#,
            ),
            (
                r#"{"_meta":{"progressToken":{"_meta":1}},"a":1}"#,
                r#"{"a":1}"#,
            ),
            (r#"{"a":1,"_meta":{}}"#, r#"{"a":1}"#),
            (
                r#"{"_meta":{"x":1,"traceparent":"t", "y" : {"progressToken":2}}}"#,
                r#"{"_meta":{"x":1,"y":{"progressToken":2}}}"#,
            ),
            (
                r#"{"_meta":["progressToken"]}"#,
                r#"{"_meta":["progressToken"]}"#,
            ),
            (r#"{"progressToken":1}"#, r#"{"progressToken":1}"#),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected));
        }
        for broken in [
            "",
            "[]",
            "{",
            "{\"a\"}",
            "{\"a\":1,}",
            "{} {}",
            "{\"a\":1 \"b\":2}",
        ] {
            assert_eq!(shown(broken), Err(Unreadable), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_says_what_was_sent(
            names in prop::collection::btree_set("[a_\"\\\\é]{0,3}|_meta|progressToken", 0..5),
            meta in prop::collection::btree_map("progressToken|traceparent|tracestate|[a{]{0,2}", 0..9i32, 0..4),
            is_spaced: bool,
        ) {
            let mut params = Map::new();
            for name in names {
                let value = if name == "_meta" { json!(meta) } else { json!([name, {"{": "}"}]) };
                params.insert(name, value);
            }
            let params = Value::Object(params);
            let text = if is_spaced {
                serde_json::to_string_pretty(&params)
            } else {
                serde_json::to_string(&params)
            };
            let shown = shown(&text.unwrap()).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), reference(params));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[{}\\[\\]\",:_a0 \\\\]{0,24}") {
            let _ = shown(&text);
        }
    }
}
