use std::{convert::Infallible, net::IpAddr, time::Duration};

use bartizan_core::{
    Denial, DenialKind, FakeClock, Principal, ResponseBody, SecurityContext, identify,
};
use bartizan_ratelimit::{AddressLimitLayer, AddressLimits, Quota, RateLimitLayer, RateLimits};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};

pub(crate) type Answer = Response<ResponseBody<Full<Bytes>>>;

pub(crate) fn clock() -> FakeClock {
    FakeClock::at(Duration::from_secs(1_800_000_000))
}

pub(crate) fn quota(per_minute: u32, burst: u32) -> Quota {
    Quota::per_minute(per_minute).unwrap().burst(burst).unwrap()
}

/// A call that is being made up.
pub(crate) struct Ask {
    request: Request<Full<Bytes>>,
}

pub(crate) fn method(method: &str, params: &str) -> Ask {
    let body = format!(r#"{{"jsonrpc":"2.0","id":"x7","method":"{method}","params":{params}}}"#);
    let request = Request::post("/mcp").header("content-type", "application/json");
    Ask {
        request: request.body(Full::from(body)).unwrap(),
    }
}

pub(crate) fn tool(name: &str) -> Ask {
    method("tools/call", &format!(r#"{{"name":"{name}"}}"#))
}

impl Ask {
    pub(crate) fn body_bytes(&self) -> usize {
        let exact = http_body::Body::size_hint(self.request.body()).exact();
        exact.unwrap() as usize
    }

    pub(crate) fn by(self, subject: &str) -> Self {
        let issuer = "https://auth.example.com";
        self.of(Principal::user(issuer, subject).build("jwt"))
    }

    pub(crate) fn of(mut self, principal: Principal) -> Self {
        identify(&mut self.request, principal).unwrap();
        self
    }

    pub(crate) fn from(mut self, address: &str) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let context = SecurityContext::of(&mut self.request);
        context.set_client_address(address).unwrap();
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = value.parse().unwrap();
        self.request.headers_mut().append(name, value);
        self
    }

    pub(crate) async fn to<S>(self, service: &S) -> Answer
    where
        S: Service<Request<Full<Bytes>>, Response = Answer, Error = Infallible> + Clone,
    {
        service.clone().oneshot(self.request).await.unwrap()
    }

    pub(crate) fn into_request(self) -> Request<Full<Bytes>> {
        self.request
    }

    /// The answer, and the findings.
    pub(crate) async fn traced<S>(mut self, service: &S) -> (Answer, Vec<bartizan_core::Finding>)
    where
        S: Service<Request<Full<Bytes>>, Response = Answer, Error = Infallible> + Clone,
    {
        let context = SecurityContext::of(&mut self.request);
        context.open_trail();
        let answer = self.to(service).await;
        (answer, context.trail().unwrap().findings())
    }
}

/// A service behind the second place; it answers with the headers given.
pub(crate) fn behind(
    limits: RateLimits,
    headers: HeaderMap,
) -> impl Service<Request<Full<Bytes>>, Response = Answer, Error = Infallible> + Clone {
    let inner = service_fn(move |_| {
        let mut response = Response::new(Full::<Bytes>::default());
        *response.headers_mut() = headers.clone();
        async { Ok(response) }
    });
    RateLimitLayer::new(limits).layer(inner)
}

/// A service behind the second place.
pub(crate) fn guarded(
    limits: RateLimits,
) -> impl Service<Request<Full<Bytes>>, Response = Answer, Error = Infallible> + Clone {
    behind(limits, HeaderMap::new())
}

/// A service behind the first place; a request whose `authorization` is `bad`, `malformed` or
/// absent is refused as an authentication layer does.
pub(crate) fn fenced(
    limits: AddressLimits,
) -> impl Service<Request<Full<Bytes>>, Response = Answer, Error = Infallible> + Clone {
    let inner = service_fn(|mut request: Request<Full<Bytes>>| async move {
        let context = SecurityContext::of(&mut request);
        let kind = match request.headers().get("authorization") {
            None => DenialKind::CredentialsMissing,
            Some(value) if value == "bad" => DenialKind::CredentialsInvalid,
            Some(value) if value == "malformed" => DenialKind::CredentialsMalformed,
            Some(_) => return Ok::<_, Infallible>(Response::new(Full::default())),
        };
        let refusal: Response<ResponseBody<Full<Bytes>>> =
            Denial::new(kind, "for the test").into_response(&context);
        Ok(refusal.map(|_| Full::default()))
    });
    AddressLimitLayer::new(limits).layer(inner)
}

pub(crate) fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

pub(crate) fn denial(answer: &Answer) -> &Denial {
    answer.extensions().get().unwrap()
}

pub(crate) async fn text(answer: Answer) -> String {
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}
