use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::{Denial, ResponseBody};

/// What a refusal looks like in the place of what its kind says, where even that there is something to refuse is
/// secret (TA-12).
///
/// Only the caller is misled: logs, findings and audit tell the denial's kind and reason, and the denial is in the
/// response's extensions as ever.
#[derive(Debug, Clone)]
pub struct Disguise {
    /// The HTTP status.
    pub status: StatusCode,
    /// All header lines, in their order.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
    /// Whether the body is sent as one whose length is not known before, as an event stream's is.
    pub is_stream: bool,
}

impl Disguise {
    pub(crate) fn response<B>(&self, denial: Denial) -> Response<ResponseBody<B>> {
        let body = match self.is_stream {
            true => ResponseBody::stream_of(self.body.clone()),
            false => ResponseBody::refusal(self.body.clone()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        for (name, value) in &self.headers {
            response.headers_mut().append(name, value.clone());
        }
        response.extensions_mut().insert(denial);
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;
    use crate::{DenialKind, SecurityContext};

    #[test]
    fn ta_12_a_disguised_refusal_has_nothing_of_its_kind_but_for_those_who_record() {
        for is_stream in [false, true] {
            let disguise = Disguise {
                status: StatusCode::OK,
                headers: vec![(
                    http::header::CONTENT_TYPE,
                    HeaderValue::from_static("application/json"),
                )],
                body: Bytes::from_static(b"{}"),
                is_stream,
            };
            let denial = Denial::new(DenialKind::Forbidden, "hidden").disguised(disguise);
            let denial = denial.with_challenge(HeaderValue::from_static("Bearer"));
            let response = denial.into_response::<String>(&SecurityContext::default());
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers().len(), 1);
            let length = (!is_stream).then_some(2);
            assert_eq!(response.body().size_hint().exact(), length);
            let denial = response.extensions().get::<Denial>().unwrap();
            assert_eq!(
                (denial.kind(), denial.reason(), denial.status().as_u16()),
                (DenialKind::Forbidden, "hidden", 200)
            );
        }
    }
}
