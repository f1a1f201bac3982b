use http::{HeaderMap, HeaderValue};

use super::{CallLimits, body::too_large, mirror};
use crate::{Denial, DenialKind};

/// What reading needs of a request's header fields, found in one walk, which is faster than to look
/// for each. Nothing is decoded yet.
pub(super) struct Head<'h> {
    pub(super) fields: &'h HeaderMap,
    media: Option<&'h HeaderValue>,
    has_several_media: bool,
    is_coded: bool,
    length: Option<&'h HeaderValue>,
    has_transfer_encoding: bool,
    pub(super) mcp: McpFields<'h>,
}

/// The MCP header fields of a request.
#[derive(Default)]
pub(super) struct McpFields<'h> {
    count: usize,
    total: usize,
    longest: usize,
    pub(super) version: Option<&'h HeaderValue>,
    pub(super) method: Option<&'h HeaderValue>,
    pub(super) name: Option<&'h HeaderValue>,
    pub(super) session: Option<&'h HeaderValue>,
    pub(super) last_event: Option<&'h HeaderValue>,
    /// Whether one of the above is there more than once.
    pub(super) has_repeated: bool,
    pub(super) has_params: bool,
}

impl<'h> Head<'h> {
    pub(super) fn of(headers: &'h HeaderMap) -> Self {
        let mut head = Self {
            fields: headers,
            media: None,
            has_several_media: false,
            is_coded: false,
            length: None,
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
                "content-type" => head.has_several_media |= head.media.replace(value).is_some(),
                "content-length" => head.length = head.length.or(Some(value)),
                "content-encoding" => {
                    head.is_coded |= !value.as_bytes().eq_ignore_ascii_case(b"identity");
                }
                "transfer-encoding" => head.has_transfer_encoding = true,
                "last-event-id" => {
                    head.mcp.has_repeated |= head.mcp.last_event.replace(value).is_some();
                }
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
        let (Some(media), false) = (self.media, self.has_several_media) else {
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
        let has_length = self.length.is_some() && self.declared_length() != Some(0);
        self.has_transfer_encoding || has_length
    }

    /// The declared length; `None` if there is none or it cannot be read.
    fn declared_length(&self) -> Option<u64> {
        self.length?.to_str().ok()?.parse().ok()
    }
}

impl<'h> McpFields<'h> {
    #[inline]
    fn take(&mut self, name: &str, value: &'h HeaderValue) {
        self.count += 1;
        self.total += value.len();
        self.longest = self.longest.max(value.len());
        let field = match name {
            "protocol-version" => &mut self.version,
            "method" => &mut self.method,
            "name" => &mut self.name,
            "session-id" => &mut self.session,
            _ => {
                self.has_params |= name.starts_with(mirror::PARAM_PREFIX);
                return;
            }
        };
        self.has_repeated |= field.replace(value).is_some();
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
