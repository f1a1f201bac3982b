//! The peers' stack: what a server would be put together from.

use std::sync::Once;

use axum::body::Body;
use governor::middleware::NoOpMiddleware;
use http::{
    HeaderName, HeaderValue, Method,
    header::{
        ACCEPT, AUTHORIZATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
        STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        X_XSS_PROTECTION,
    },
};
use jsonwebtoken::{Algorithm, crypto::aws_lc};
use serde::Deserialize;
use tower_governor::{
    GovernorLayer, governor::GovernorConfigBuilder, key_extractor::PeerIpKeyExtractor,
};
use tower_http::{
    cors::{AllowOrigin, CorsLayer},
    set_header::SetResponseHeaderLayer,
};
use tower_oauth2_resource_server::{
    layer::OAuth2ResourceServerLayer, server::OAuth2ResourceServer, tenant::TenantConfiguration,
    validation::ClaimsValidationSpec,
};

use crate::common::{
    ours::{Quota, Setup},
    requests::ORIGIN,
    tokens::{AUDIENCE, ISSUER},
};

/// Outermost first: CORS, seven headers, limit by address, token.
pub type Parity = (CorsLayer, Headers, Limit, Jwt);

pub type Headers = (Header, Header, Header, Header, Header, Header, Header);
type Header = SetResponseHeaderLayer<HeaderValue>;
pub type Limit = GovernorLayer<PeerIpKeyExtractor, NoOpMiddleware, Body>;
pub type Jwt = OAuth2ResourceServerLayer<Body, Claims>;

/// What a server takes from a token.
#[derive(Clone, Debug, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub sub: String,
    pub client_id: String,
    pub jti: String,
    #[serde(default)]
    pub scope: String,
    #[serde(default)]
    pub roles: Vec<String>,
}

pub fn parity(setup: &Setup) -> Parity {
    (cors(), headers(), limit(setup.quota), jwt(&setup.jwks))
}

pub fn cors() -> CorsLayer {
    let name = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(AllowOrigin::list([HeaderValue::from_static(ORIGIN)]))
        .allow_methods([Method::POST, Method::GET, Method::DELETE])
        .allow_headers([
            ACCEPT,
            AUTHORIZATION,
            CONTENT_TYPE,
            name("mcp-method"),
            name("mcp-name"),
            name("mcp-protocol-version"),
        ])
        .expose_headers([
            WWW_AUTHENTICATE,
            name("mcp-session-id"),
            name("mcp-protocol-version"),
            name("dpop-nonce"),
            RETRY_AFTER,
            name("ratelimit"),
            name("ratelimit-policy"),
            name("x-ratelimit-limit"),
            name("x-ratelimit-remaining"),
            name("x-ratelimit-reset"),
            name("x-request-id"),
        ])
        .max_age(std::time::Duration::from_secs(3600))
}

pub fn headers() -> Headers {
    let set =
        |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    (
        set(CONTENT_SECURITY_POLICY, "default-src 'self'"),
        set(X_CONTENT_TYPE_OPTIONS, "nosniff"),
        set(X_FRAME_OPTIONS, "DENY"),
        set(X_XSS_PROTECTION, "0"),
        set(REFERRER_POLICY, "no-referrer"),
        set(
            HeaderName::from_static("permissions-policy"),
            "geolocation=(), microphone=(), camera=()",
        ),
        set(
            STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        ),
    )
}

pub fn limit(quota: Quota) -> Limit {
    let mut config = GovernorConfigBuilder::default();
    match quota {
        Quota::Plenty => config.per_nanosecond(1).burst_size(u32::MAX),
        Quota::One => config.per_second(3600).burst_size(1),
    };
    GovernorLayer::new(config.finish().unwrap())
}

pub fn jwt(jwks: &str) -> Jwt {
    install_provider();
    let claims = ClaimsValidationSpec::new()
        .iss(ISSUER)
        .aud(&vec![AUDIENCE.to_owned()])
        .exp(true)
        .nbf(true);
    let tenant = TenantConfiguration::static_builder(jwks)
        .claims_validation(claims)
        .allowed_algorithms(&[Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA])
        .build()
        .unwrap();
    let server = OAuth2ResourceServer::<Claims>::builder()
        .add_tenant(tenant)
        .build();
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(server)
        .unwrap()
        .into_layer()
}

/// The backend of `jsonwebtoken`, which is process-wide. Ours neither needs nor installs one.
fn install_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        aws_lc::DEFAULT_PROVIDER.install_default().unwrap();
    });
}
