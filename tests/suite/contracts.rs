//! The layer contract, run over every layer.

use std::sync::{Arc, LazyLock};

use bartizan::{
    AddressLimitLayer, AuditLayer, AuthLayer, CallLayer, CorsLayer, JwtLayer, JwtVerifier,
    NetworkLayer, Principal, RateLimitLayer, RbacLayer, SecurityHeadersLayer, SessionLayer,
    ValidateLayer,
    audit::Records,
    identify,
    ratelimit::{AddressLimits, Quota, RateLimits},
    rbac::{Policy, Rule},
    session::{SessionKeys, TaskOwnerLayer},
};
use bartizan_kit::{Algorithm, Revision, SigningKey, TokenMint, call_tool, layer_contract, post};
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
layer_contract!(audit, || AuditLayer::new(Records::new()), || admitted());
layer_contract!(
    address_limit,
    || AddressLimitLayer::new(address_limits(PLENTY)),
    || admitted(),
);
layer_contract!(ratelimit, || RateLimitLayer::new(limits(PLENTY)), || {
    admitted()
});
// With what counts open requests, whose permits bodies keep.
layer_contract!(
    address_limit_open,
    || {
        let limits = AddressLimits::builder().open_in_all(1000);
        AddressLimitLayer::new(limits.open_per_address(1000).build().unwrap())
    },
    || admitted(),
);
layer_contract!(
    ratelimit_open,
    || {
        let limits = RateLimits::builder().open_in_all(1000);
        RateLimitLayer::new(limits.open_per_account(1000).build().unwrap())
    },
    || admitted()
);
layer_contract!(
    session,
    || SessionLayer::new(session_keys()),
    || by("ann", "viewer"),
    || in_session("bob", "ann")
);
layer_contract!(
    tasks,
    || TaskOwnerLayer::in_memory(),
    || by("ann", "viewer"),
    || {
        let params = json!({"taskId": "another's"});
        let mut request = post(Revision::V2025_11_25, "tasks/get", params).build();
        let principal = Principal::user(ISSUER, "ann").build("test");
        identify(&mut request, principal).unwrap();
        request
    }
);
layer_contract!(
    rbac,
    || RbacLayer::new(Arc::clone(&POLICY)),
    || by("ann", "viewer"),
    || by("ann", "nobody")
);
layer_contract!(
    validate,
    || {
        let schema = json!({"type": "object", "additionalProperties": false});
        let layer = ValidateLayer::new().without_learning();
        layer.schema("whoami", &schema.to_string()).unwrap()
    },
    || admitted(),
    || request().body("{broken").build()
);

const PLENTY: u32 = 1_000_000;

fn quota(burst: u32) -> Quota {
    Quota::per_minute(1).unwrap().burst(burst).unwrap()
}

fn address_limits(burst: u32) -> AddressLimits {
    let limits = AddressLimits::builder().address(quota(burst));
    limits.build().unwrap()
}

fn limits(burst: u32) -> RateLimits {
    let limits = RateLimits::builder().account(quota(burst));
    limits.build().unwrap()
}

/// Two layers of one request judge by one policy.
static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| {
    let policy = Policy::builder()
        .role("viewer", [])
        .rule(Rule::tool("whoami").role("viewer"));
    Arc::new(policy.build().unwrap())
});

/// As an authentication layer outside would hand it on.
fn by(subject: &str, role: &str) -> Request<Full<bytes::Bytes>> {
    let mut request = request().build();
    let principal = Principal::user(ISSUER, subject).roles([role]);
    identify(&mut request, principal.build("test")).unwrap();
    request
}

fn session_keys() -> SessionKeys {
    let secret: Vec<u8> = (0..32).collect();
    SessionKeys::new(secret).unwrap()
}

/// By one, in a session of another's.
fn in_session(subject: &str, owner: &str) -> Request<Full<bytes::Bytes>> {
    let owner = Principal::user(ISSUER, owner).build("test");
    let id = session_keys().wrap(&owner, b"inner").unwrap();
    let mut request = call_tool(Revision::V2025_11_25, "whoami", json!({}))
        .session(&id)
        .build();
    let principal = Principal::user(ISSUER, subject).build("test");
    identify(&mut request, principal).unwrap();
    request
}

/// The streams of a session, whose event ids are wrapped, are streams as any other.
mod in_a_session {
    use bartizan_kit::contract;

    use super::*;

    fn layer() -> SessionLayer {
        SessionLayer::new(session_keys())
    }

    fn admitted() -> Request<Full<bytes::Bytes>> {
        in_session("ann", "ann")
    }

    #[test]
    fn frames_pass_one_by_one() {
        contract::run(async { contract::frames(layer(), admitted).await });
    }

    #[test]
    fn a_broken_body_stays_broken() {
        contract::run(async { contract::broken_body(layer(), admitted).await });
    }

    #[test]
    fn a_dropped_body_drops_the_inner_body() {
        contract::run(async { contract::dropped_body(layer(), admitted).await });
    }

    #[test]
    fn the_inner_head_passes_untouched() {
        contract::run(async { contract::head(layer(), admitted).await });
    }

    #[test]
    fn it_works_under_bare_hyper_over_http_1() {
        contract::run(async { contract::bare_hyper_1(layer(), layer(), admitted).await });
    }
}

/// Limits that are used up refuse in the common form.
mod used_up {
    use bartizan_kit::contract;

    use super::*;

    #[test]
    fn a_refusal_by_address_has_the_common_form() {
        contract::run(async {
            let layer = AddressLimitLayer::new(address_limits(1));
            use_up(&layer).await;
            contract::refusal(layer, admitted).await
        });
    }

    #[test]
    fn a_refusal_by_account_has_the_common_form() {
        contract::run(async {
            let layer = RateLimitLayer::new(limits(1));
            use_up(&layer).await;
            contract::refusal(layer, admitted).await
        });
    }

    #[test]
    fn a_refusal_for_want_of_room_has_the_common_form() {
        contract::run(async {
            let layer = AuditLayer::new(Records::with_capacity(0));
            contract::refusal(layer, admitted).await
        });
    }

    async fn use_up<L>(layer: &L)
    where
        L: tower::Layer<bartizan_kit::Echo>,
        L::Service: tower::Service<Request<Full<bytes::Bytes>>>,
    {
        use tower::ServiceExt;
        let service = layer.layer(bartizan_kit::Echo::new());
        assert!(service.oneshot(admitted()).await.is_ok());
    }
}
