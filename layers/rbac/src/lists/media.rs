use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE},
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
            // What most answers say.
            (Some(media), None) if media == "application/json" => return Self::Json,
            (Some(media), None) => media.to_str().ok().and_then(Self::named),
            _ => None,
        };
        if known == Some(Self::Events) {
            return Self::Events;
        }
        // Somewhere: who searches the line for it finds it in a parameter too.
        match headers.get_all(CONTENT_TYPE).iter().any(is_like_events) {
            true => Self::Unclear,
            false => known.unwrap_or(Self::Other),
        }
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

fn is_like_events(media: &HeaderValue) -> bool {
    let mut parts = media.as_bytes().windows(EVENTS.len());
    parts.any(|part| part.eq_ignore_ascii_case(EVENTS))
}

const EVENTS: &[u8] = b"event-stream";

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

/// Says that the body is one principal's, and takes off what tells caches otherwise.
pub(super) fn keep_private(headers: &mut HeaderMap) {
    let mut said = headers.get_all(CACHE_CONTROL).iter();
    let stays_as_is = said.any(|said| {
        let mut parts = said.as_bytes().split(|byte| matches!(byte, b',' | b' '));
        parts.any(|part| part.eq_ignore_ascii_case(b"no-transform"))
    });
    let value = match stays_as_is {
        true => "private, no-store, no-transform",
        false => "private, no-store",
    };
    for other in [
        "edge-control",
        "expires",
        "surrogate-control",
        "x-accel-expires",
    ] {
        headers.remove(other);
    }
    let is_targeted = |name: &&HeaderName| name.as_str().ends_with("-cache-control");
    let targeted: Vec<_> = headers.keys().filter(is_targeted).cloned().collect();
    for name in targeted {
        headers.remove(name);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_14_no_cache_is_told_that_a_list_is_everybodys() {
        for (said, says) in [
            (None, "private, no-store"),
            (Some("public, max-age=600"), "private, no-store"),
            (
                Some("no-cache,No-Transform"),
                "private, no-store, no-transform",
            ),
        ] {
            let mut headers = HeaderMap::new();
            for other in [
                "cdn-cache-control",
                "edge-control",
                "expires",
                "surrogate-control",
                "vercel-cdn-cache-control",
                "x-accel-expires",
            ] {
                headers.insert(other, HeaderValue::from_static("max-age=600"));
            }
            if let Some(said) = said {
                headers.append(CACHE_CONTROL, HeaderValue::from_static("public"));
                headers.append(CACHE_CONTROL, HeaderValue::from_static(said));
            }
            keep_private(&mut headers);
            assert_eq!(headers.len(), 1, "{headers:?}");
            assert_eq!(headers[CACHE_CONTROL], says);
        }
    }

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
            (
                &["application/json; x=\"text/event-stream\""],
                Media::Unclear,
            ),
        ] {
            let mut headers = HeaderMap::new();
            for line in types {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(line));
            }
            assert_eq!(Media::of(&headers), media, "{types:?}");
        }
    }
}
