use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, header::AsHeaderName};

use super::{
    CallKind, Revision,
    envelope::{Envelope, params},
    head::Head,
    json::invalid,
    sentinel,
};
use crate::{Denial, DenialKind, printable, text::write_json_string};

/// Methods with a name that no revision asks to mirror.
const UNMIRRORED: [&str; 4] = [
    "completion/complete",
    "resources/directory/read",
    "skills/get",
    "tasks/result",
];
pub(super) const MCP_PREFIX: &str = "mcp-";
/// After the other: `Mcp-Param-*`.
pub(super) const PARAM_PREFIX: &str = "param-";

/// Which arguments they mirror only the tool's schema tells (see `params`); unknown ones are single
/// and decodable, and go on (N-9).
fn check_params(headers: &HeaderMap) -> Result<(), Denial> {
    for name in headers.keys() {
        let rest = name.as_str().strip_prefix(MCP_PREFIX);
        if rest.is_some_and(|rest| rest.starts_with(PARAM_PREFIX)) {
            decoded_field(headers, name)?;
        }
    }
    Ok(())
}

/// Checks that what the headers mirror is what the body says, and tells the declared revision.
///
/// Headers that mirror nothing are refused as well, under every revision: something on the way
/// may have believed them (N-10, N-11).
pub(super) fn agree(
    head: &Head<'_>,
    message: Option<(&Envelope, &str)>,
) -> Result<Option<Revision>, Denial> {
    let mcp = &head.mcp;
    if mcp.has_params {
        check_params(head.fields)?;
    }
    // Each is there once at most (PH-6).
    if mcp.has_repeated {
        return Err(repeated());
    }
    for field in [mcp.session, mcp.last_event].into_iter().flatten() {
        text(field)?;
    }
    let declared = mcp.version.map(known).transpose()?;
    let Some((envelope, body)) = message else {
        if mcp.method.is_some() || mcp.name.is_some() {
            return Err(mismatch("a request without a body has mirrored headers"));
        }
        return Ok(declared);
    };
    let modern = declared.is_some_and(Revision::is_modern);
    agree_on_version(declared, envelope)?;
    agree_on_method(mcp.method, envelope, modern)?;
    agree_on_name(mcp.name, envelope, body, modern)?;
    Ok(declared)
}

/// N-2, N-3, and PH-2 for posted responses.
fn agree_on_version(declared: Option<Revision>, envelope: &Envelope) -> Result<(), Denial> {
    let stated = match &envelope.meta.version {
        None => None,
        Some(Ok(revision)) => Some(*revision),
        Some(Err(unknown)) => return Err(unsupported(unknown)),
    };
    let modern = declared.is_some_and(Revision::is_modern);
    match (declared, stated) {
        (Some(declared), Some(stated)) if declared != stated => {
            return Err(mismatch("the protocol version in header and body differ"));
        }
        (None, Some(stated)) if stated.is_modern() => {
            return Err(mismatch("the protocol version header is missing"));
        }
        _ => {}
    }
    if !modern {
        return Ok(());
    }
    match envelope.kind {
        CallKind::Response => Err(invalid("this revision takes no responses from clients")),
        CallKind::Request if stated.is_none() => Err(params(
            "_meta needs io.modelcontextprotocol/protocolVersion",
        )),
        CallKind::Request if !envelope.meta.has_capabilities => Err(params(
            "_meta needs io.modelcontextprotocol/clientCapabilities",
        )),
        _ => Ok(()),
    }
}

fn agree_on_method(
    field: Option<&HeaderValue>,
    envelope: &Envelope,
    modern: bool,
) -> Result<(), Denial> {
    // Most methods are known, and a field that says just that is text.
    if let (Some(field), Cow::Borrowed(known)) = (field, &envelope.method)
        && field.as_bytes() == known.as_bytes()
    {
        return Ok(());
    }
    match field.map(text).transpose()? {
        Some(mirrored) if mirrored == &*envelope.method => Ok(()),
        Some(_) => Err(mismatch("Mcp-Method is not the method of the body")),
        None if modern && envelope.kind == CallKind::Request => {
            Err(mismatch("Mcp-Method is missing"))
        }
        None => Ok(()),
    }
}

fn agree_on_name(
    field: Option<&HeaderValue>,
    envelope: &Envelope,
    body: &str,
    modern: bool,
) -> Result<(), Denial> {
    let name = envelope.name.as_ref().map(|name| name.within(body));
    let mirrored = field
        .map(|field| text(field).and_then(decoded))
        .transpose()?;
    match (mirrored, name) {
        (Some(mirrored), Some(name)) if mirrored == name => Ok(()),
        (Some(_), _) => Err(mismatch("Mcp-Name is not the name in the body")),
        (None, Some(_))
            if modern
                && envelope.kind == CallKind::Request
                && !UNMIRRORED.contains(&&*envelope.method) =>
        {
            Err(mismatch("Mcp-Name is missing"))
        }
        (None, _) => Ok(()),
    }
}

/// A single header, decoded (N-6).
pub(super) fn decoded_field<'h>(
    headers: &'h HeaderMap,
    name: impl AsHeaderName,
) -> Result<Option<Cow<'h, str>>, Denial> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(repeated());
    }
    text(value).and_then(decoded).map(Some)
}

fn text(value: &HeaderValue) -> Result<&str, Denial> {
    let text = value
        .to_str()
        .map_err(|_| mismatch("an MCP header is not visible ASCII"))?;
    // Of what ASCII calls white space only blanks and tabs are left.
    Ok(text.trim_ascii())
}

fn repeated() -> Denial {
    mismatch("an MCP header is repeated")
}

fn decoded(value: &str) -> Result<Cow<'_, str>, Denial> {
    sentinel::decode(value).ok_or_else(|| mismatch("an MCP header is not Base64 of UTF-8"))
}

fn known(version: &HeaderValue) -> Result<Revision, Denial> {
    if let Some(known) = Revision::of(version.as_bytes()) {
        return Ok(known);
    }
    let version = text(version)?;
    Revision::parse(version).ok_or_else(|| unsupported(version))
}

fn unsupported(version: &str) -> Denial {
    let mut data = String::from(r#"{"supported":["#);
    for (index, revision) in Revision::ALL.iter().enumerate() {
        if index > 0 {
            data.push(',');
        }
        write_json_string(&mut data, revision.as_str());
    }
    data.push_str(r#"],"requested":"#);
    let requested = printable(version, 64).to_string();
    write_json_string(&mut data, &requested);
    data.push('}');
    Denial::new(
        DenialKind::VersionUnsupported,
        format!("protocol version `{requested}`"),
    )
    .with_rpc_data(data)
}

pub(super) fn mismatch(message: &'static str) -> Denial {
    Denial::new(DenialKind::HeaderMismatch, message).with_message(message)
}
