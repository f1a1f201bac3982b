//! What keys cost: one that is remembered, above a layer that knows its caller anyway, and those that are none.
//! Allocations are printed before each.
//!
//! ```sh
//! cargo bench -p bartizan-apikey --bench apikey --all-features
//! ```

#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at what goes wrong, prints its counts, and is no API"
)]

#[path = "../tests/apikey/bare.rs"]
mod bare;

use std::hint::black_box;

use bartizan_apikey::{
    ApiKeyConfig, ApiKeyLayer, ApiKeys, KeyForm, KeyGrant, MemoryStore, Peppers,
};
#[cfg(feature = "attenuation")]
use bartizan_apikey::{Attenuation, HeldKey};
use bartizan_core::{AuthLayer, Secret};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{Request, Response};
use http_body_util::Full;
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service};

use bare::{Bare, Inner, send};

fn keys(config: ApiKeyConfig) -> ApiKeys {
    let form = KeyForm::new("acme", ["live"]).unwrap();
    let peppers = Peppers::new(1, Secret::from(vec![7; 32])).unwrap();
    let keys = ApiKeys::builder(form, peppers, MemoryStore::with_capacity(1_000_000));
    keys.config(config).build().unwrap()
}

fn issue(runtime: &Runtime, keys: &ApiKeys) -> String {
    let grant = KeyGrant::service("ci", "live").roles(["developer"]);
    let key = runtime.block_on(keys.issue(grant)).unwrap();
    key.text().to_owned()
}

fn request(key: &str) -> Request<Full<Bytes>> {
    let request = Request::post("/mcp").header("x-api-key", key);
    request.body(Full::default()).unwrap()
}

/// The same request again and again.
fn case<S, B>(c: &mut Criterion, runtime: &Runtime, name: &str, service: S, key: &str, status: u16)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = std::convert::Infallible>
        + Clone,
{
    let answered = |request| runtime.block_on(send(&service, request)).status();
    let request = request(key);
    assert_eq!(answered(request.clone()), status, "{name}");
    let again = request.clone();
    let counted = allocation_counter::measure(|| {
        answered(again);
    });
    println!("{name}: {} allocations", counted.count_total);
    let _inside = runtime.enter();
    c.bench_function(name, |b| {
        b.iter_batched(
            || request.clone(),
            |r| black_box(answered(r)),
            BatchSize::SmallInput,
        );
    });
}

fn remembered(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let keys = keys(ApiKeyConfig::default());
    let key = issue(&runtime, &keys);
    let principal = runtime
        .block_on(keys.verifier().verify(&key, None))
        .unwrap();
    let bare = AuthLayer::new(Bare::new(principal)).layer(Inner);
    case(c, &runtime, "bare", bare, &key, 200);
    let layer = ApiKeyLayer::new(keys.verifier());
    case(c, &runtime, "warm", layer.layer(Inner), &key, 200);
}

/// Of somebody else's keys of the same form: their checksums are right.
fn strangers(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let config = || {
        let mut config = ApiKeyConfig::default();
        config.refused_age_seconds = 0;
        config.new_keys_per_minute = 1_000_000;
        config
    };
    let keys = keys(config());
    let unknown = issue(&runtime, &self::keys(config()));
    let service = ApiKeyLayer::new(keys.verifier()).layer(Inner);
    let random = format!("{}aaaaaaa", unknown.get(..unknown.len() - 7).unwrap());
    case(c, &runtime, "random", service.clone(), &random, 401);
    // Looked up each time, in a task of its own, as long as there is a budget for it.
    case(c, &runtime, "unknown", service, &unknown, 401);
}

/// Of one link and of four: remembered, and seen for the first time. The latter are as many as are measured, and each
/// is looked up in a task of its own.
#[cfg(feature = "attenuation")]
fn children(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut config = ApiKeyConfig::default();
    config.new_keys_per_minute = 1_000_000;
    let keys = keys(config);
    let form = KeyForm::new("acme", ["live"]).unwrap();
    let held = HeldKey::parse(&form, &issue(&runtime, &keys)).unwrap();
    let narrower = |held: &HeldKey| {
        let roles = Attenuation::new()
            .label("a build")
            .only_roles(["developer"]);
        held.attenuate(roles).unwrap()
    };
    let service = ApiKeyLayer::new(keys.verifier()).layer(Inner);
    for depth in [1, 4] {
        let parent = (1..depth).fold(held.clone(), |held, _| narrower(&held));
        let child = narrower(&parent);
        let name = format!(
            "warm child of depth {depth}, {} characters",
            child.text().len()
        );
        case(c, &runtime, &name, service.clone(), child.text(), 200);
        let _inside = runtime.enter();
        c.bench_function(&format!("cold child of depth {depth}"), |b| {
            b.iter_batched(
                || request(narrower(&parent).text()),
                |r| black_box(runtime.block_on(send(&service, r)).status()),
                BatchSize::SmallInput,
            );
        });
    }
    c.bench_function("derive a child", |b| b.iter(|| narrower(&held)));
}

#[cfg(feature = "attenuation")]
criterion_group!(benches, remembered, strangers, children);
#[cfg(not(feature = "attenuation"))]
criterion_group!(benches, remembered, strangers);
criterion_main!(benches);
