use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

/// What an answer's body is, as its head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// One JSON text.
    Json,
    /// Server-sent events.
    Events,
    /// Nothing that can be looked into.
    Other,
}

impl Media {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let (Some(media), None) = (types.next(), types.next()) else {
            return Self::Other;
        };
        let Ok(media) = media.to_str() else {
            return Self::Other;
        };
        let mut parts = media.split(';').map(|part| part.trim_matches([' ', '\t']));
        let essence = parts.next().unwrap_or_default();
        if essence.eq_ignore_ascii_case("text/event-stream") {
            // Always UTF-8, whatever a parameter says.
            Self::Events
        } else if essence.eq_ignore_ascii_case("application/json") && parts.all(is_utf8) {
            Self::Json
        } else {
            Self::Other
        }
    }
}

/// Whether a parameter is no other charset.
fn is_utf8(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let is_charset = name
        .get(..7)
        .is_some_and(|name| name.eq_ignore_ascii_case("charset"));
    let value = value.trim_matches('"');
    !is_charset || name.len() == 7 && value.eq_ignore_ascii_case("utf-8")
}

/// Whether the body's bytes are what the media type says.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Takes off what described a body that is another one now.
pub(super) fn forget_body(headers: &mut HeaderMap) {
    for described in [
        "accept-ranges",
        "content-digest",
        "content-length",
        "content-md5",
        "digest",
        "etag",
        "last-modified",
        "repr-digest",
    ] {
        headers.remove(described);
    }
}
