//! Before anything is timed: both stacks answer alike.

use std::collections::BTreeSet;

use axum::{Router, body::Body};
use http::{HeaderMap, HeaderName, Response, header::VARY};

use crate::{
    cases::World,
    common::{
        drive::answer,
        inner,
        ours::{HAS_LIMITS, Quota, Setup},
        requests::Requests,
    },
    stacks::Who,
};

const SECURITY: [&str; 7] = [
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
    "referrer-policy",
    "permissions-policy",
    "strict-transport-security",
];

/// A difference that is expected, and why.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Nothing,
    /// A preflight ends in CORS. The peers' headers stand inside of it and ours outside, so only
    /// ours has them; and one answers 200, the other 204.
    Preflight,
    /// Without an `Origin` the peers still name what they expose; ours says nothing of CORS.
    NoOrigin,
}

/// Proves that both give the same status, and the same security and CORS headers.
///
/// `Vary` must name `Origin` on both sides; which other members it has may differ, and so may
/// the order of a list's members and their case.
///
/// # Panics
///
/// If they do not.
pub fn prove(world: &World) {
    let call = || Requests::call(300);
    let good = || call().with_token(world.token());
    let tokens = &world.tokens;
    let with = |token| call().with_token(token);
    let setup = Setup::new(&world.jwks);
    let algorithm = bartizan_kit::Algorithm::Rs256;

    for full in [false, true] {
        let both = |setup: &Setup| {
            Who::BOTH.map(|who| match full {
                false => who.parity(setup, inner::router()),
                true => who.full(setup, inner::router()),
            })
        };
        let stacks = both(&setup);
        let compare = |what: &str, requests, status, allowed| {
            same(
                &format!("{what}, full: {full}"),
                &stacks,
                requests,
                status,
                allowed,
            );
        };
        compare("accept", good().without("origin"), 200, Allowed::NoOrigin);
        compare("simple CORS", good(), 200, Allowed::Nothing);
        compare("missing token", call(), 401, Allowed::Nothing);
        compare(
            "bad signature",
            with(tokens.badly_signed(algorithm)),
            401,
            Allowed::Nothing,
        );
        compare("expired", with(tokens.expired()), 401, Allowed::Nothing);
        compare(
            "wrong aud",
            with(tokens.for_somebody_else()),
            401,
            Allowed::Nothing,
        );
        compare("preflight", Requests::preflight(), 204, Allowed::Preflight);
        if HAS_LIMITS {
            let stacks = both(&Setup {
                quota: Quota::One,
                ..setup.clone()
            });
            same(
                "first within the limit",
                &stacks,
                good(),
                200,
                Allowed::Nothing,
            );
            same("denied by limit", &stacks, good(), 429, Allowed::Nothing);
        }
    }
}

fn same(what: &str, stacks: &[Router; 2], requests: Requests, status: u16, allowed: Allowed) {
    let [peer, ours] = stacks
        .each_ref()
        .map(|stack| answer(stack, requests.clone().one()));
    let statuses = [&peer, &ours].map(|answer| answer.status().as_u16());
    let expected = match allowed {
        Allowed::Preflight => [200, status],
        _ => [status; 2],
    };
    assert_eq!(statuses, expected, "{what}: status of peer and ours");
    for answer in [&peer, &ours] {
        let vary = members(answer.headers(), &VARY);
        assert!(vary.contains("origin"), "{what}: Vary has no Origin");
    }
    if allowed != Allowed::Preflight {
        let [peer, ours] = [&peer, &ours].map(security);
        assert_eq!(peer.len(), SECURITY.len(), "{what}: {peer:?}");
        assert_eq!(peer, ours, "{what}: security headers");
    }
    if allowed != Allowed::NoOrigin {
        let [peer, ours] = [&peer, &ours].map(cors);
        assert!(!peer.is_empty(), "{what}: no CORS headers");
        assert_eq!(peer, ours, "{what}: CORS headers");
    }
}

fn security(answer: &Response<Body>) -> BTreeSet<(&str, &[u8])> {
    let pairs = answer.headers().iter();
    pairs
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .filter(|(name, _)| SECURITY.contains(name))
        .collect()
}

/// Each header with its members, in lower case.
fn cors(answer: &Response<Body>) -> BTreeSet<(&str, BTreeSet<String>)> {
    let headers = answer.headers();
    headers
        .keys()
        .filter(|name| name.as_str().starts_with("access-control-"))
        .map(|name| (name.as_str(), members(headers, name)))
        .collect()
}

fn members(headers: &HeaderMap, name: &HeaderName) -> BTreeSet<String> {
    let values = headers.get_all(name).iter();
    values
        .flat_map(|value| value.to_str().unwrap().split(','))
        .map(|member| member.trim().to_ascii_lowercase())
        .collect()
}
