//! The layer contract, run over every layer.

use bartizan::{
    AuthLayer, CallLayer, CorsLayer, JwtLayer, JwtVerifier, NetworkLayer, SecurityHeadersLayer,
};
use bartizan_kit::{Algorithm, Revision, SigningKey, TokenMint, call_tool, layer_contract};
use http::Request;
use http_body_util::Full;
use serde_json::json;

const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "https://mcp.example.com/mcp";
const ORIGIN: &str = "https://app.example.com";

fn verifier() -> JwtVerifier {
    let key = SigningKey::shared(Algorithm::Es256);
    JwtVerifier::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .jwk_set(json!({"keys": [key.jwk()]}).to_string())
        .build()
        .unwrap()
}

fn token() -> String {
    let key = SigningKey::shared(Algorithm::Es256);
    TokenMint::new(ISSUER, AUDIENCE)
        .token()
        .signed_by(&key)
        .encode()
}

fn request() -> bartizan_kit::McpRequest {
    call_tool(Revision::V2026_07_28, "whoami", json!({})).host("localhost:8080")
}

fn admitted() -> Request<Full<bytes::Bytes>> {
    request().origin(ORIGIN).bearer(token()).build()
}

layer_contract!(headers, || SecurityHeadersLayer::mcp(), || admitted());
layer_contract!(network, || NetworkLayer::new(), || admitted(), || request()
    .host("evil.example")
    .build());
layer_contract!(
    cors,
    || CorsLayer::new().allow_origin(ORIGIN).unwrap(),
    || admitted(),
    || request().origin("https://evil.example").build()
);
layer_contract!(jwt, || JwtLayer::new(verifier()), || admitted(), || {
    request().build()
});
layer_contract!(
    auth,
    || AuthLayer::new(verifier()).danger_forward_credentials(),
    || admitted(),
    || request().bearer("abc").build()
);
layer_contract!(call, || CallLayer::new(), || admitted(), || request()
    .body("{broken")
    .build());
