use std::sync::LazyLock;

use bartizan_apikey::{ApiKeyLayer, ApiKeys};
use bartizan_kit::{Revision, layer_contract, post};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::support::{clock, issue, keys};

/// Keys, and one that is remembered: a service that is polled once has no time to ask.
static KEYS: LazyLock<(ApiKeys, String)> = LazyLock::new(|| {
    let made = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async {
            let (keys, _) = keys(&clock());
            let text = issue(&keys).await.text().to_owned();
            keys.verifier().verify(&text, None).await.unwrap();
            (keys, text)
        })
    });
    made.join().unwrap()
});

fn call(key: &str) -> Request<Full<Bytes>> {
    let ping = post(Revision::V2026_07_28, "ping", serde_json::json!({}));
    let mut request = ping.build();
    let value = key.parse().unwrap();
    request.headers_mut().insert("x-api-key", value);
    request
}

layer_contract!(
    keys_of_a_store,
    || ApiKeyLayer::new(KEYS.0.verifier()),
    || call(&KEYS.1),
    || call("acme_live_x")
);
