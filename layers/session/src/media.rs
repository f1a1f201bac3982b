use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

/// What an answer's body can be read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    EventStream,
    Json,
    /// Something else, or encoded.
    Other,
}

pub(crate) fn media(headers: &HeaderMap) -> Media {
    if headers.contains_key(CONTENT_ENCODING) {
        return Media::Other;
    }
    let media = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    let essence = media.and_then(|media| media.split(|b| *b == b';').next());
    let essence = essence.unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"text/event-stream") {
        Media::EventStream
    } else if essence.eq_ignore_ascii_case(b"application/json") {
        Media::Json
    } else {
        Media::Other
    }
}
