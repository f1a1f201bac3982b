use http::{HeaderMap, HeaderValue};

use super::{CallLimits, body::too_large, mirror};
use crate::{Denial, DenialKind};

/// What reading needs of a request's header fields, found in one walk, which is faster than to look
/// for each. Nothing is decoded yet.
pub(super) struct Head<'h> {
    pub(super) fields: &'h HeaderMap,
    media: Single<'h>,
    is_coded: bool,
    length: Single<'h>,
    has_transfer_encoding: bool,
    pub(super) mcp: McpFields<'h>,
}

/// The MCP header fields of a request.
#[derive(Default)]
pub(super) struct McpFields<'h> {
    count: usize,
    total: usize,
    longest: usize,
    pub(super) version: Single<'h>,
    pub(super) method: Single<'h>,
    pub(super) name: Single<'h>,
    pub(super) session: Single<'h>,
    pub(super) last_event: Single<'h>,
    pub(super) has_params: bool,
}

/// A field that is to be there once at most.
#[derive(Clone, Copy, Default)]
pub(super) struct Single<'h> {
    pub(super) first: Option<&'h HeaderValue>,
    pub(super) is_repeated: bool,
}

impl<'h> Single<'h> {
    #[inline]
    fn take(&mut self, value: &'h HeaderValue) {
        match self.first {
            None => self.first = Some(value),
            Some(_) => self.is_repeated = true,
        }
    }
}

impl<'h> Head<'h> {
    pub(super) fn of(headers: &'h HeaderMap) -> Self {
        let mut head = Self {
            fields: headers,
            media: Single::default(),
            is_coded: false,
            length: Single::default(),
            has_transfer_encoding: false,
            mcp: McpFields::default(),
        };
        for (name, value) in headers {
            let name = name.as_str();
            if let Some(rest) = name.strip_prefix(mirror::MCP_PREFIX) {
                head.mcp.take(rest, value);
                continue;
            }
            match name {
                "content-type" => head.media.take(value),
                "content-length" => head.length.take(value),
                "content-encoding" => {
                    head.is_coded |= !value.as_bytes().eq_ignore_ascii_case(b"identity");
                }
                "transfer-encoding" => head.has_transfer_encoding = true,
                "last-event-id" => head.mcp.last_event.take(value),
                _ => {}
            }
        }
        head
    }

    /// Refuses too many or too long MCP headers, before anything is decoded or read (IV-7).
    pub(super) fn fit(&self, limits: &CallLimits) -> Result<(), Denial> {
        let mcp = &self.mcp;
        if mcp.longest > limits.header_bytes() {
            return Err(headers_too_large("an MCP header is too long"));
        }
        if mcp.count > limits.header_count() {
            return Err(headers_too_large("too many MCP headers"));
        }
        if mcp.total > 4 * limits.header_bytes() {
            return Err(headers_too_large("the MCP headers are too long together"));
        }
        Ok(())
    }

    /// One JSON media type in UTF-8 and no encoding: anything else is read differently by somebody.
    pub(super) fn check_media(&self) -> Result<(), Denial> {
        let (Some(media), false) = (self.media.first, self.media.is_repeated) else {
            return Err(unsupported("no content type, or several"));
        };
        // Nearly all say just this.
        let is_plain = media.as_bytes() == b"application/json";
        if !is_plain && !media.to_str().is_ok_and(is_json) {
            return Err(unsupported("a content type that is not JSON in UTF-8"));
        }
        self.check_encoding()
    }

    /// # Errors
    ///
    /// 415, if the body is coded.
    pub(super) fn check_encoding(&self) -> Result<(), Denial> {
        match self.is_coded {
            true => Err(unsupported("a content encoding that cannot be inspected")),
            false => Ok(()),
        }
    }

    /// # Errors
    ///
    /// 413, if the body is declared to be too long.
    pub(super) fn check_length(&self, limits: &CallLimits) -> Result<(), Denial> {
        match self.declared_length() {
            Some(length) if length > limits.body_bytes() as u64 => Err(too_large()),
            _ => Ok(()),
        }
    }

    /// Whether a body is announced.
    pub(super) fn has_body(&self) -> bool {
        let has_length = self.length.first.is_some() && self.declared_length() != Some(0);
        self.has_transfer_encoding || has_length
    }

    /// The declared length; `None` if there is none or it cannot be read.
    fn declared_length(&self) -> Option<u64> {
        self.length.first?.to_str().ok()?.parse().ok()
    }
}

impl<'h> McpFields<'h> {
    #[inline]
    fn take(&mut self, name: &str, value: &'h HeaderValue) {
        self.count += 1;
        self.total += value.len();
        self.longest = self.longest.max(value.len());
        match name {
            "protocol-version" => self.version.take(value),
            "method" => self.method.take(value),
            "name" => self.name.take(value),
            "session-id" => self.session.take(value),
            _ => self.has_params |= name.starts_with(mirror::PARAM_PREFIX),
        }
    }
}

fn is_json(media: &str) -> bool {
    let mut parts = media.split(';').map(|part| part.trim_matches([' ', '\t']));
    let essence = parts.next().unwrap_or_default();
    let is_utf8 = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim_matches('"');
        // `charset =` and `charset*=` are charsets to lenient readers.
        let is_charset = name
            .get(..7)
            .is_some_and(|n| n.eq_ignore_ascii_case("charset"));
        !is_charset || name.len() == 7 && value.eq_ignore_ascii_case("utf-8")
    };
    essence.eq_ignore_ascii_case("application/json") && !media.contains(',') && parts.all(is_utf8)
}

fn unsupported(reason: &'static str) -> Denial {
    Denial::new(DenialKind::MediaTypeUnsupported, reason)
}

fn headers_too_large(reason: &'static str) -> Denial {
    Denial::new(DenialKind::HeadersTooLarge, reason)
}
