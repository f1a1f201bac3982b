use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

/// What a body is, as its head says: for layers that look into answers.
///
/// Strict, so that no client reads as an event stream or as JSON what a layer took for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "who looks into answers decides of every kind of them"
)]
pub enum Media {
    /// One JSON text in UTF-8 (RFC 8259): exactly one `Content-Type`, `application/json`, and no other
    /// charset.
    Json,
    /// Server-sent events (WHATWG HTML 9.2): exactly one `Content-Type`, `text/event-stream`, with any
    /// parameters.
    EventStream,
    /// Neither.
    Other,
    /// Not for certain JSON in UTF-8, but somebody might take it for that: several types, another
    /// charset, or a type that has the name in it somewhere.
    UnclearJson,
    /// Neither for certain, but somebody might take it for events: several types, or one that has the
    /// name in it somewhere. A layer that must not miss an event stream treats it as one that it can't
    /// read.
    Unclear,
}

impl Media {
    /// By the `Content-Type` of these headers (RFC 9110 §8.3). Whether the bytes are [plain](Self::is_plain)
    /// is another question.
    ///
    /// ```
    /// use bartizan_core::Media;
    /// use http::{HeaderMap, header::CONTENT_TYPE};
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.append(CONTENT_TYPE, "Text/Event-Stream; charset=utf-8".parse()?);
    /// assert_eq!(Media::of(&headers), Media::EventStream);
    /// headers.append(CONTENT_TYPE, "application/json".parse()?);
    /// assert_eq!(Media::of(&headers), Media::Unclear, "some would believe the first, some the last");
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    pub fn of(headers: &HeaderMap) -> Self {
        let mut types = lines(headers, &CONTENT_TYPE);
        let known = match (types.next(), types.next()) {
            // What most answers say.
            (Some(media), None) if media == "application/json" => return Self::Json,
            (Some(media), None) => media.to_str().ok().and_then(Self::named),
            _ => None,
        };
        if known == Some(Self::EventStream) {
            return Self::EventStream;
        }
        // Somewhere: who searches the line for it finds it in a parameter too.
        let names = |part: &[u8]| {
            let mut types = lines(headers, &CONTENT_TYPE);
            types.any(|media| has(media, part))
        };
        match known {
            _ if names(&b"event-stream"[..]) => Self::Unclear,
            Some(known) => known,
            None if names(&b"json"[..]) => Self::UnclearJson,
            None => Self::Other,
        }
    }

    /// Whether it is an event stream, or might be taken for one.
    pub fn may_be_events(self) -> bool {
        matches!(self, Self::EventStream | Self::Unclear)
    }

    /// Whether a body's bytes are what its media type says: not encoded (RFC 9110 §8.4), as by
    /// compression.
    pub fn is_plain(headers: &HeaderMap) -> bool {
        let mut codings = lines(headers, &CONTENT_ENCODING);
        codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    }

    /// Takes off what describes a body that is another one now: its length, digests and validators.
    pub fn forget_body(headers: &mut HeaderMap) {
        for described in DESCRIBES_THE_BYTES {
            headers.remove(described);
        }
    }

    fn named(media: &str) -> Option<Self> {
        let mut parts = media.split(';').map(|part| part.trim_matches([' ', '\t']));
        let essence = parts.next().unwrap_or_default();
        if essence.eq_ignore_ascii_case("text/event-stream") {
            // Always UTF-8, whatever a parameter says.
            Some(Self::EventStream)
        } else if essence.eq_ignore_ascii_case("application/json") && parts.all(is_utf8) {
            Some(Self::Json)
        } else {
            None
        }
    }
}

const DESCRIBES_THE_BYTES: [&str; 8] = [
    "accept-ranges",
    "content-digest",
    "content-length",
    "content-md5",
    "digest",
    "etag",
    "last-modified",
    "repr-digest",
];

/// All lines of a field. An answer has few fields, which are walked past faster than one is looked for.
#[inline]
fn lines<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h HeaderValue> {
    let of_name = move |(field, value)| (field == name).then_some(value);
    headers.iter().filter_map(of_name)
}

/// Whether a type has this in it, in whatever case.
fn has(media: &HeaderValue, name: &[u8]) -> bool {
    let mut parts = media.as_bytes().windows(name.len());
    parts.any(|part| part.eq_ignore_ascii_case(name))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_type_that_says_it_is_json_in_utf_8_or_events() {
        for (types, media) in [
            (&["application/json"][..], Media::Json),
            (&["application/json;charset=utf-8"], Media::Json),
            (&["Application/JSON; Charset=\"UTF-8\"; x"], Media::Json),
            (&["application/json; charset=latin1"], Media::UnclearJson),
            (&["application/json; charset*=utf-8"], Media::UnclearJson),
            (
                &["application/json", "application/json"],
                Media::UnclearJson,
            ),
            (&["text/plain, application/JSON"], Media::UnclearJson),
            (&["application/problem+json"], Media::UnclearJson),
            (&["text/html"], Media::Other),
            (&[""], Media::Other),
            (&[], Media::Other),
            (&["text/event-stream"], Media::EventStream),
            (&["Text/Event-Stream; charset=x"], Media::EventStream),
            (&[" TEXT/EVENT-STREAM\t;charset=utf-8"], Media::EventStream),
            (&["text/event-streams"], Media::Unclear),
            (&["text/event-stream x"], Media::Unclear),
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
            let named = types
                .iter()
                .any(|line| line.to_ascii_lowercase().contains("event-stream"));
            assert_eq!(media.may_be_events(), named, "{types:?}");
        }
        let mut headers = HeaderMap::new();
        let half = HeaderValue::from_bytes(b"text/event-stream; \xff").unwrap();
        headers.insert(CONTENT_TYPE, half);
        assert_eq!(Media::of(&headers), Media::Unclear);
    }

    #[test]
    fn what_has_another_coding_than_none_is_not_plain() {
        for (codings, plain) in [
            (&[][..], true),
            (&["identity"], true),
            (&["Identity"], true),
            (&["gzip"], false),
            (&["identity", "br"], false),
            (&["identity, gzip"], false),
            (&[""], false),
        ] {
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(coding));
            }
            assert_eq!(Media::is_plain(&headers), plain, "{codings:?}");
        }
    }
}
