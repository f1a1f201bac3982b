use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use http_body_util::Full;
use tower_service::Service;

/// Serves the metadata document: public, cacheable, readable by every browser origin (MD-7).
///
/// It answers at one exact path, to `GET`, `HEAD` and CORS preflight; 405 to other methods, 404
/// elsewhere. It stands outside of authentication (AC-11).
#[derive(Debug, Clone)]
pub struct MetadataService {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: String,
    json: Bytes,
}

const METHODS: &str = "GET, HEAD, OPTIONS";

impl MetadataService {
    /// Serves `json` at `path`.
    pub fn new(path: &str, json: Bytes) -> Self {
        let path = path.to_owned();
        Self {
            shared: Arc::new(Shared { path, json }),
        }
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if path != self.shared.path {
            return response(StatusCode::NOT_FOUND, Bytes::new(), &[]);
        }
        let json = || self.shared.json.clone();
        match *method {
            Method::GET => response(StatusCode::OK, json(), &DOCUMENT),
            Method::HEAD => {
                let mut response = response(StatusCode::OK, Bytes::new(), &DOCUMENT);
                let length = HeaderValue::from(json().len());
                response.headers_mut().insert(CONTENT_LENGTH, length);
                response
            }
            Method::OPTIONS => response(StatusCode::NO_CONTENT, Bytes::new(), &PREFLIGHT),
            _ => response(StatusCode::METHOD_NOT_ALLOWED, Bytes::new(), &REFUSAL),
        }
    }
}

const DOCUMENT: [(HeaderName, &str); 4] = [
    (CONTENT_TYPE, "application/json"),
    (CACHE_CONTROL, "public, max-age=3600"),
    (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// Clients send `MCP-Protocol-Version`, which a browser asks leave for.
const PREFLIGHT: [(HeaderName, &str); 5] = [
    (ALLOW, METHODS),
    (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
    (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
    (ACCESS_CONTROL_MAX_AGE, "3600"),
];

const REFUSAL: [(HeaderName, &str); 2] = [(ALLOW, METHODS), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];

fn response(
    status: StatusCode,
    body: Bytes,
    headers: &[(HeaderName, &'static str)],
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    for (name, value) in headers {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name.clone(), value);
    }
    response
}

impl<ReqB> Service<Request<ReqB>> for MetadataService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        ready(Ok(self.answer(request.method(), request.uri().path())))
    }
}
