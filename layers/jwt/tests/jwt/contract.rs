use bartizan_jwt::{FetchDocument, Fetching};
use bartizan_kit::{Revision, layer_contract, post};
use serde_json::json;

use super::*;

/// Answers from memory, but not at once.
struct Slowly(String);

impl FetchDocument for Slowly {
    fn fetch<'a>(&'a self, _: &'a str, _: usize) -> Fetching<'a> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok(Bytes::from(self.0.clone()).into())
        })
    }
}

fn call(token: &str) -> Request<Full<Bytes>> {
    let mut request = post(Revision::V2026_07_28, "tools/list", json!({})).build();
    let value = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert(AUTHORIZATION, value);
    request
}

layer_contract!(
    keys_at_hand,
    || JwtLayer::new(builder(&clock()).build().unwrap()),
    || call(&mint(&clock()).token().encode()),
    || call("abc")
);

layer_contract!(
    keys_still_to_be_fetched,
    || {
        let jwks = mint(&clock()).jwks().to_string();
        let verifier = JwtVerifier::builder()
            .issuer(I)
            .audience(U)
            .jwks_url("https://auth.example.com/jwks")
            .fetcher(Slowly(jwks))
            .clock(clock());
        JwtLayer::new(verifier.build().unwrap())
    },
    || call(&mint(&clock()).token().encode()),
    || call(&mint(&clock()).impostor().token().encode())
);
