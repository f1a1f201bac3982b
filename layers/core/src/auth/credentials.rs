use std::fmt;

use http::{Extensions, HeaderMap, HeaderName, Method, Request, Uri, header::AUTHORIZATION};

use crate::text::is_visible;

/// What a request presents, as authenticators see it.
///
/// The `Authorization` field was checked to be single and readable.
pub struct Credentials<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
    authorization: Option<Authorization<'a>>,
}

impl<'a> Credentials<'a> {
    /// Reads the request's `Authorization`; the reason if it cannot be read (AC-6).
    pub(super) fn read<B>(request: &'a Request<B>) -> Result<Self, &'static str> {
        Ok(Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
            authorization: Authorization::of(request.headers())?,
        })
    }

    /// The `Authorization` field, if there is one.
    #[inline]
    pub fn authorization(&self) -> Option<Authorization<'a>> {
        self.authorization
    }

    /// The request's header fields.
    #[inline]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// The request's method.
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// The request's URI, as the layer received it.
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// The request's extensions.
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("authorization", &self.authorization)
            .finish_non_exhaustive()
    }
}

/// An `Authorization` field, split into scheme and value (RFC 9110 §11.4).
#[derive(Clone, Copy)]
pub struct Authorization<'a> {
    scheme: &'a [u8],
    value: &'a [u8],
}

impl<'a> Authorization<'a> {
    /// The only one of a request, if there is one; the reason if it cannot be read (AC-6).
    pub(super) fn of(headers: &'a HeaderMap) -> Result<Option<Self>, &'static str> {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        match (fields.next(), fields.next()) {
            (None, _) => Ok(None),
            (Some(field), None) => {
                let text = field.as_bytes();
                if !is_visible(text) {
                    return Err("the authorization field is not visible ASCII");
                }
                Ok(Some(Self::parse(text)))
            }
            (Some(_), Some(_)) => Err("the authorization field is repeated"),
        }
    }

    fn parse(field: &'a [u8]) -> Self {
        let field = without_blanks(field);
        let field = match field.iter().rposition(|byte| *byte != b' ') {
            Some(last) => field.get(..=last).unwrap_or_default(),
            None => &[],
        };
        // A scheme is short: it is not worth a search made for long texts.
        let end = field.iter().position(|byte| *byte == b' ');
        let (scheme, value) = field.split_at(end.unwrap_or(field.len()));
        Self {
            scheme,
            value: without_blanks(value),
        }
    }

    /// Whether the scheme is `name`, whatever its case (AC-7).
    #[inline]
    pub fn is_scheme(&self, name: &str) -> bool {
        // Nearly all clients spell it as it is registered.
        self.scheme == name.as_bytes() || self.scheme.eq_ignore_ascii_case(name.as_bytes())
    }

    /// What follows the scheme. Not checked beyond being visible ASCII, spaces and tabs.
    pub fn value(&self) -> &'a str {
        // It always is.
        std::str::from_utf8(self.value).unwrap_or_default()
    }

    /// The same as bytes, which costs nothing: to look up by a long token, say.
    #[inline]
    pub fn value_bytes(&self) -> &'a [u8] {
        self.value
    }
}

/// Without the blanks before it.
fn without_blanks(field: &[u8]) -> &[u8] {
    match field.iter().position(|byte| *byte != b' ') {
        Some(first) => field.get(first..).unwrap_or_default(),
        None => &[],
    }
}

impl fmt::Debug for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(..)")
    }
}

/// Where in a request a credential stands. Two places are two credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialPlace {
    /// The `Authorization` field.
    Authorization,
    /// A header field of its own.
    Header(HeaderName),
    /// The connection: a client certificate. It identifies a request that presents no credential itself, so
    /// an authenticator of this place names no [`credential_headers`](super::Authenticator::credential_headers).
    Connection,
}

#[cfg(test)]
mod tests {
    use super::Authorization;

    #[test]
    fn a_field_is_split_at_its_first_blanks() {
        for (field, scheme, value) in [
            ("Bearer abc", "Bearer", "abc"),
            ("  Bearer   a b  ", "Bearer", "a b"),
            ("Bearer", "Bearer", ""),
            ("Bearer ", "Bearer", ""),
            ("Bearer\tabc", "Bearer\tabc", ""),
            ("Bearer \tabc", "Bearer", "\tabc"),
            ("", "", ""),
            ("  ", "", ""),
        ] {
            let read = Authorization::parse(field.as_bytes());
            assert!(read.is_scheme(scheme), "{field:?}");
            assert_eq!(read.value(), value, "{field:?}");
            assert_eq!(read.value_bytes(), value.as_bytes(), "{field:?}");
        }
    }
}
