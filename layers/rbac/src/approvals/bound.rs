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
    let text = call.params().unwrap_or("{}");
    let mut out = String::with_capacity(text.len());
    let mut json = Tokens::of(text);
    members(&mut json, text, &mut out, &mut |key, json, out| {
        if key != "_meta" || json.peek() != Some(b'{') {
            return Ok(false);
        }
        let start = out.len();
        write_member(out, key);
        let before = out.len();
        members(json, text, out, &mut |key, json, _| {
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
    match json.peek() {
        None => Ok(out),
        Some(_) => Err(Unreadable),
    }
}

type Take<'t> = dyn FnMut(&str, &mut Tokens<'_>, &mut String) -> Result<bool, Unreadable> + 't;

/// Writes an object member by member; those that `take` takes, it writes or leaves out itself.
fn members(
    json: &mut Tokens<'_>,
    text: &str,
    out: &mut String,
    take: &mut Take<'_>,
) -> Result<(), Unreadable> {
    if json.peek() != Some(b'{') {
        return Err(Unreadable);
    }
    json.punctuation();
    out.push('{');
    let mut is_first = true;
    loop {
        match json.peek() {
            Some(b'}') if is_first => break,
            Some(b'"') => {}
            _ => return Err(Unreadable),
        }
        is_first = false;
        let key = json.string(str::to_owned)?;
        if json.peek() != Some(b':') {
            return Err(Unreadable);
        }
        json.punctuation();
        if !take(&key, json, out)? {
            write_member(out, &key);
            json.peek();
            let start = json.position();
            json.skip()?;
            out.push_str(text.get(start..json.position()).ok_or(Unreadable)?);
        }
        match json.peek() {
            Some(b',') => json.punctuation(),
            Some(b'}') => break,
            _ => return Err(Unreadable),
        }
        if json.peek() != Some(b'"') {
            return Err(Unreadable);
        }
    }
    json.punctuation();
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
