use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, header::AsHeaderName};

use super::{
    CallKind, Revision,
    envelope::{Envelope, params},
    head::{Head, Single},
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
/// After the other.
pub(super) const PARAM_PREFIX: &str = "param-";

/// The MCP headers of a request, each of which is there once at most (PH-6).
struct Fields<'h> {
    version: Option<&'h str>,
    method: Option<&'h str>,
    name: Option<&'h str>,
}

impl<'h> Fields<'h> {
    fn of(head: &Head<'h>) -> Result<Self, Denial> {
        let mcp = &head.mcp;
        if mcp.has_params {
            check_params(head.fields)?;
        }
        only(mcp.session)?;
        only(mcp.last_event)?;
        Ok(Self {
            version: only(mcp.version)?,
            method: only(mcp.method)?,
            name: only(mcp.name)?,
        })
    }
}

fn only(field: Single<'_>) -> Result<Option<&str>, Denial> {
    if field.is_repeated {
        return Err(repeated());
    }
    field.first.map(text).transpose()
}

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
    envelope: Option<&Envelope>,
) -> Result<Option<Revision>, Denial> {
    let fields = Fields::of(head)?;
    let declared = fields.version.map(known).transpose()?;
    let Some(envelope) = envelope else {
        if fields.method.is_some() || fields.name.is_some() {
            return Err(mismatch("a request without a body has mirrored headers"));
        }
        return Ok(declared);
    };
    let modern = declared.is_some_and(Revision::is_modern);
    agree_on_version(declared, envelope)?;
    agree_on_method(&fields, envelope, modern)?;
    agree_on_name(&fields, envelope, modern)?;
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

fn agree_on_method(fields: &Fields<'_>, envelope: &Envelope, modern: bool) -> Result<(), Denial> {
    match fields.method {
        Some(mirrored) if mirrored == &*envelope.method => Ok(()),
        Some(_) => Err(mismatch("Mcp-Method is not the method of the body")),
        None if modern && envelope.kind == CallKind::Request => {
            Err(mismatch("Mcp-Method is missing"))
        }
        None => Ok(()),
    }
}

fn agree_on_name(fields: &Fields<'_>, envelope: &Envelope, modern: bool) -> Result<(), Denial> {
    let mirrored = fields.name.map(decoded).transpose()?;
    match (mirrored, envelope.name.as_deref()) {
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

fn known(version: &str) -> Result<Revision, Denial> {
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
