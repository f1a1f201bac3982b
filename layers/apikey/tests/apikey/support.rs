use std::time::Duration;

use bartizan_apikey::{
    ApiKeyLayer, ApiKeys, ApiKeysBuilder, IssuedKey, KeyForm, KeyGrant, KeyStore, MemoryStore,
    Peppers,
};
use bartizan_core::{Denial, FakeClock, Secret, SecurityContext};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::counting::Counting;

/// 2027-01-15, at 08:00.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) fn clock() -> FakeClock {
    FakeClock::at(Duration::from_secs(NOW))
}

pub(crate) fn peppers() -> Peppers {
    Peppers::new(1, Secret::from(vec![1; 32])).unwrap()
}

pub(crate) fn form() -> KeyForm {
    KeyForm::new("acme", ["live", "test"]).unwrap()
}

pub(crate) fn builder(store: impl KeyStore, clock: &FakeClock) -> ApiKeysBuilder {
    ApiKeys::builder(form(), peppers(), store).clock(clock.clone())
}

/// Keys in a store whose reads are counted.
pub(crate) fn keys(clock: &FakeClock) -> (ApiKeys, Counting<MemoryStore>) {
    let store = Counting::new(MemoryStore::new());
    (builder(store.clone(), clock).build().unwrap(), store)
}

pub(crate) fn grant() -> KeyGrant {
    KeyGrant::service("ci", "live").roles(["developer"])
}

pub(crate) async fn issue(keys: &ApiKeys) -> IssuedKey {
    keys.issue(grant()).await.unwrap()
}

/// Whether the key is good, outside of any request; else the operator's reason.
pub(crate) async fn verify(keys: &ApiKeys, text: &str) -> Result<(), String> {
    let verdict = keys.verifier().verify(text, None).await;
    verdict
        .map(|_| ())
        .map_err(|denial| denial.reason().to_owned())
}

/// What a request is answered, and as whom it went on.
pub(crate) async fn send(keys: &ApiKeys, request: Request<Full<Bytes>>) -> Response<String> {
    let inner = service_fn(|mut request: Request<Full<Bytes>>| async move {
        let context = SecurityContext::of(&mut request);
        let subject = context.principal().unwrap().subject().to_owned();
        let fields = request.headers().len();
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(format!(
            "{subject} {fields}"
        ))))
    });
    let layer = ApiKeyLayer::new(keys.verifier());
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap();
    let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
    Response::from_parts(parts, text)
}

pub(crate) fn reason(response: &Response<String>) -> String {
    let denial = response.extensions().get::<Denial>().unwrap();
    denial.reason().to_owned()
}

pub(crate) fn with(name: &str, value: impl AsRef<str>) -> Request<Full<Bytes>> {
    let request = Request::post("/mcp").header(name, value.as_ref());
    request.body(Full::default()).unwrap()
}
