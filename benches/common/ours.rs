use std::io;

use bartizan::{
    AddressLimitLayer, AuditLayer, CallLayer, CorsLayer, JsonLines, JwtLayer, JwtVerifier,
    NetworkLayer, RateLimitLayer, RbacLayer, SecurityHeadersLayer,
    ratelimit::{self, AddressLimits, RateLimits},
    rbac::{Policy, Rule},
};

use super::{
    requests::ORIGIN,
    tokens::{AUDIENCE, ISSUER},
};

/// Does what the peers' stack does, and no more.
pub type Parity = (
    SecurityHeadersLayer,
    NetworkLayer,
    CorsLayer,
    AddressLimitLayer,
    JwtLayer,
);

/// All layers.
pub type Full = (
    SecurityHeadersLayer,
    AuditLayer,
    NetworkLayer,
    CorsLayer,
    AddressLimitLayer,
    JwtLayer,
    CallLayer,
    RateLimitLayer,
    RbacLayer,
);

/// What the stacks are to know.
#[derive(Clone)]
pub struct Setup {
    pub jwks: String,
    pub quota: Quota,
    /// How many verified tokens are remembered.
    pub remembered: usize,
}

/// How many requests an address has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// So many that nobody is denied.
    Plenty,
    /// One, and the next much later.
    One,
}

/// Whether [`Setup::quota`] has an effect.
pub const HAS_LIMITS: bool = true;

impl Setup {
    /// Room for 10,000 tokens, with some to spare where the cache's shards fill unevenly.
    pub fn new(jwks: &str) -> Self {
        Self {
            jwks: jwks.to_owned(),
            quota: Quota::Plenty,
            remembered: 16_384,
        }
    }
}

pub fn parity(setup: &Setup) -> Parity {
    (
        headers(),
        network(),
        cors(),
        address_limits(setup),
        jwt(setup),
    )
}

pub fn full(setup: &Setup) -> Full {
    (
        headers(),
        AuditLayer::new(JsonLines::to(io::sink())),
        network(),
        cors(),
        address_limits(setup),
        jwt(setup),
        CallLayer::new(),
        limits(),
        RbacLayer::new(policy()),
    )
}

/// The seven headers that the peers' stack sets one by one.
fn headers() -> SecurityHeadersLayer {
    SecurityHeadersLayer::classic()
}

/// As behind a listener of its own with TLS, so that the seventh header, HSTS, is sent.
fn network() -> NetworkLayer {
    NetworkLayer::new().tls_terminated_here()
}

fn cors() -> CorsLayer {
    CorsLayer::new().allow_origin(ORIGIN).unwrap()
}

pub fn jwt(setup: &Setup) -> JwtLayer {
    let verifier = JwtVerifier::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .jwk_set(setup.jwks.clone())
        .token_cache_capacity(setup.remembered)
        .build()
        .unwrap();
    JwtLayer::new(verifier)
}

/// By address, as the peers' limiter.
fn address_limits(setup: &Setup) -> AddressLimitLayer {
    let quota = match setup.quota {
        Quota::Plenty => plenty(),
        Quota::One => ratelimit::Quota::per_hour(1).unwrap(),
    };
    let limits = AddressLimits::builder().address(quota);
    AddressLimitLayer::new(limits.build().unwrap())
}

/// Three tiers: all, the account, the tool.
fn limits() -> RateLimitLayer {
    let limits = RateLimits::builder().global(plenty()).account(plenty());
    RateLimitLayer::new(limits.other_tools(plenty()).build().unwrap())
}

fn plenty() -> ratelimit::Quota {
    let quota = ratelimit::Quota::per_second(1_000_000);
    quota.and_then(|quota| quota.burst(1_000_000)).unwrap()
}

/// What the peers' hand-written check says: who is an editor may write.
fn policy() -> Policy {
    let policy = Policy::builder()
        .role("viewer", [])
        .role("editor", ["viewer"])
        .rule(Rule::tool("read_*").role("viewer"))
        .rule(Rule::tool("write_note").role("editor"))
        .rule(Rule::tool("delete_note").deny());
    policy.build().unwrap()
}
