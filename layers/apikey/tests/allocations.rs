//! What a key that is remembered takes from the heap above a layer that knows its caller anyway: nothing.

#[path = "apikey/bare.rs"]
mod bare;

use bartizan_apikey::{ApiKeyLayer, ApiKeys, KeyForm, KeyGrant, MemoryStore, Peppers};
use bartizan_core::{AuthLayer, Secret};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service};

use bare::{Bare, Inner, send};

#[test]
fn a_warm_key_takes_nothing_from_the_heap_above_a_bare_layer() {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().expect("a runtime");
    let form = KeyForm::new("acme", ["live"]).expect("a form");
    let peppers = Peppers::new(1, Secret::from(vec![7; 32])).expect("a pepper");
    let keys = ApiKeys::builder(form, peppers, MemoryStore::new());
    let keys = keys.build().expect("keys");
    let grant = KeyGrant::service("ci", "live").roles(["developer"]);
    let key = runtime.block_on(keys.issue(grant)).expect("a key");
    let principal = runtime.block_on(keys.verifier().verify(key.text(), None));
    let bare = AuthLayer::new(Bare::new(principal.expect("good"))).layer(Inner);
    let keys = ApiKeyLayer::new(keys.verifier()).layer(Inner);
    for name in ["x-api-key", "authorization"] {
        let value = match name {
            "authorization" => format!("Bearer {}", key.text()),
            _ => key.text().to_owned(),
        };
        let request = |name: &str| {
            let request = Request::post("/mcp").header(name, &value);
            request.body(Full::<Bytes>::default()).expect("a request")
        };
        let with_key = allocations(&runtime, &keys, || request(name));
        let with_none = allocations(&runtime, &bare, || request("x-api-key"));
        assert_eq!(with_key, with_none, "{name}");
    }
}

/// Of the second request.
fn allocations<S, B>(
    runtime: &tokio::runtime::Runtime,
    service: &S,
    request: impl Fn() -> Request<Full<Bytes>>,
) -> u64
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = std::convert::Infallible>
        + Clone,
{
    let answered = |request| assert_eq!(runtime.block_on(send(service, request)).status(), 200);
    answered(request());
    let again = request();
    allocation_counter::measure(|| answered(again)).count_total
}
