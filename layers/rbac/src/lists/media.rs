use http::{
    HeaderMap, HeaderValue,
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
    /// Nothing that can be looked into, but somebody might take it for events.
    Unclear,
}

impl Media {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let known = match (types.next(), types.next()) {
            (Some(media), None) => media.to_str().ok().and_then(Self::named),
            _ => None,
        };
        let is_like = |media: &HeaderValue| {
            let media = media.as_bytes().to_ascii_lowercase();
            memchr::memmem::find(&media, b"event-stream").is_some()
        };
        known.unwrap_or_else(|| match headers.get_all(CONTENT_TYPE).iter().any(is_like) {
            true => Self::Unclear,
            false => Self::Other,
        })
    }

    fn named(media: &str) -> Option<Self> {
        let mut parts = media.split(';').map(|part| part.trim_matches([' ', '\t']));
        let essence = parts.next().unwrap_or_default();
        if essence.eq_ignore_ascii_case("text/event-stream") {
            // Always UTF-8, whatever a parameter says.
            Some(Self::Events)
        } else if essence.eq_ignore_ascii_case("application/json") && parts.all(is_utf8) {
            Some(Self::Json)
        } else {
            None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_type_that_says_it_is_json_in_utf_8_or_events() {
        for (types, media) in [
            (&["application/json"][..], Media::Json),
            (&["application/json;charset=utf-8"], Media::Json),
            (&["application/json; charset=latin1"], Media::Other),
            (&["application/json; charset*=utf-8"], Media::Other),
            (&["application/json", "application/json"], Media::Other),
            (&["application/json, text/plain"], Media::Other),
            (&["text/html"], Media::Other),
            (&[], Media::Other),
            (&["Text/Event-Stream; charset=x"], Media::Events),
            (&["text/event-stream", "text/event-stream"], Media::Unclear),
            (&["application/json", "text/EVENT-stream"], Media::Unclear),
            (&["text/plain, text/event-stream"], Media::Unclear),
        ] {
            let mut headers = HeaderMap::new();
            for line in types {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(line));
            }
            assert_eq!(Media::of(&headers), media, "{types:?}");
        }
    }
}
