//! What keys take from the heap: one that is remembered nothing above a layer that knows its caller anyway, and any number
//! that are none a bounded part.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "apikey/bare.rs"]
mod bare;
#[path = "apikey/made_up.rs"]
mod made_up;

use bartizan_apikey::{ApiKeyLayer, ApiKeys, KeyForm, KeyGrant, MemoryStore, Peppers};
#[cfg(feature = "attenuation")]
use bartizan_apikey::{Attenuation, HeldKey};
use bartizan_core::{AuthLayer, Secret};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service};

use bare::{Bare, Inner, send};
use made_up::made_up;

#[test]
fn a_warm_key_takes_nothing_from_the_heap_above_a_bare_layer() {
    let (runtime, keys) = (runtime(), keys());
    let grant = KeyGrant::service("ci", "live").roles(["developer"]);
    let key = runtime.block_on(keys.issue(grant)).expect("a key");
    let principal = runtime.block_on(keys.verifier().verify(key.text(), None));
    let bare = AuthLayer::new(Bare::new(principal.expect("good"))).layer(Inner);
    let keys = ApiKeyLayer::new(keys.verifier()).layer(Inner);
    let texts = [vec![key.text().to_owned()], children(key.text())].concat();
    for (text, name) in texts
        .iter()
        .flat_map(|text| [(text, "x-api-key"), (text, "authorization")])
    {
        let value = match name {
            "authorization" => format!("Bearer {text}"),
            _ => text.clone(),
        };
        let request = |name: &str| {
            let request = Request::post("/mcp").header(name, &value);
            request.body(Full::<Bytes>::default()).expect("a request")
        };
        let with_key = allocations(&runtime, &keys, || request(name));
        let with_none = allocations(&runtime, &bare, || request("x-api-key"));
        assert_eq!(with_key, with_none, "{name}, {} characters", text.len());
    }
}

#[test]
fn a_hundred_thousand_keys_that_are_none_take_a_bounded_part() {
    let (runtime, keys) = (runtime(), keys());
    let verify = |from: u64, to: u64| {
        let measured = allocation_counter::measure(|| {
            runtime.block_on(async {
                for n in from..to {
                    let address = [10, (n >> 16) as u8, (n >> 8) as u8, n as u8];
                    let address = Some(address.into());
                    assert!(keys.verifier().verify(&made_up(n), address).await.is_err());
                }
            });
        });
        measured.bytes_current
    };
    let all = verify(0, 100_000);
    // Those refused and remembered, and when networks may ask again.
    assert!(all < 1_000_000, "{all} bytes");
    let more = verify(100_000, 130_000);
    assert!(more < 100_000, "{more} bytes more");
}

#[cfg(feature = "imported")]
#[test]
fn a_warm_key_of_another_system_takes_nothing_either() {
    use bartizan_apikey::{ImportedForm, PublicPart, Upgrade};

    let runtime = runtime();
    let peppers = Peppers::new(1, Secret::from(vec![7; 32])).unwrap();
    let old = ImportedForm::new("old_", PublicPart::Until('_'), Upgrade::ToHmac).unwrap();
    let mut config = bartizan_apikey::ApiKeyConfig::default();
    // A slow hash takes long where nothing is optimized.
    config.timeout_seconds = 60;
    let keys = ApiKeys::builder(form(), peppers, MemoryStore::new()).imported(old);
    let keys = keys.config(config).build().unwrap();
    // `hunter42`.
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$MTIzNDU2Nzg5MDEyMzQ1Ng$UovfUJmUIDTIP/OamVzlL1EwG2xdp1ShCKm+ktA7ETc";
    let imported = keys.import("old_7f3a", hash, KeyGrant::service("ci", "live"));
    runtime.block_on(imported).unwrap();
    let principal = runtime.block_on(keys.verifier().verify("old_7f3a_hunter42", None));
    let bare = AuthLayer::new(Bare::new(principal.unwrap())).layer(Inner);
    let keys = ApiKeyLayer::new(keys.verifier()).layer(Inner);
    let request = || {
        let request = Request::post("/mcp").header("x-api-key", "old_7f3a_hunter42");
        request.body(Full::<Bytes>::default()).unwrap()
    };
    let with_key = allocations(&runtime, &keys, request);
    assert_eq!(with_key, allocations(&runtime, &bare, request));
}

fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap()
}

fn form() -> KeyForm {
    KeyForm::new("acme", ["live"]).unwrap()
}

fn keys() -> ApiKeys {
    let peppers = Peppers::new(1, Secret::from(vec![7; 32])).unwrap();
    let keys = ApiKeys::builder(form(), peppers, MemoryStore::new());
    keys.build().unwrap()
}

#[cfg(feature = "attenuation")]
fn children(key: &str) -> Vec<String> {
    let held = HeldKey::parse(&form(), key).unwrap();
    let label = Attenuation::new().label("nightly build");
    let child = held.attenuate(label).unwrap();
    let grandchild = child.attenuate(Attenuation::new()).unwrap();
    [child, grandchild]
        .map(|held| held.text().to_owned())
        .to_vec()
}

#[cfg(not(feature = "attenuation"))]
fn children(_: &str) -> Vec<String> {
    Vec::new()
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
