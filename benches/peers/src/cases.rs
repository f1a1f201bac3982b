//! What is timed.

use axum::Router;
use bartizan_kit::Algorithm::{self, Es256, Rs256};
use http::HeaderValue;

use crate::{
    common::{
        inner,
        ours::{HAS_LIMITS, Quota, Setup},
        requests::Requests,
        tokens::Tokens,
    },
    side::Side,
    stacks::{Who, ours_without_router, peer_without_router},
};

/// How many tokens a mix has.
const POOL: usize = 10_000;

/// Where every token is new, a cache that is full soon.
const SMALL_CACHE: usize = 1024;

/// Keys and tokens.
pub struct World {
    pub tokens: Tokens,
    pub jwks: String,
    rs256: Vec<HeaderValue>,
    es256: Vec<HeaderValue>,
}

/// One thing to be timed on both sides.
pub struct Case {
    pub name: &'static str,
    pub goal: Option<Goal>,
    make: fn(&World, Who) -> Side,
}

#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// At least so many times as fast as the peers.
    pub ratio: f64,
    /// What part of that is enough for a check, since other programs disturb the clock.
    pub slack: f64,
    pub allocations: Option<u64>,
}

impl World {
    /// Signs all tokens, which takes some seconds.
    pub fn new() -> Self {
        let tokens = Tokens::new();
        Self {
            jwks: tokens.jwks(),
            rs256: tokens.pool(Rs256, POOL),
            es256: tokens.pool(Es256, POOL),
            tokens,
        }
    }

    /// A good one.
    pub fn token(&self) -> HeaderValue {
        self.rs256[0].clone()
    }

    fn setup(&self) -> Setup {
        Setup::new(&self.jwks)
    }

    /// Where what must make room is counted too.
    fn small_setup(&self) -> Setup {
        Setup {
            remembered: SMALL_CACHE,
            ..self.setup()
        }
    }

    fn pool(&self, algorithm: Algorithm) -> Vec<HeaderValue> {
        match algorithm {
            Es256 => self.es256.clone(),
            _ => self.rs256.clone(),
        }
    }

    /// Calls of 300 bytes with every token in turn.
    fn pool_of_calls(&self, algorithm: Algorithm) -> Requests {
        Requests::call(300).with_tokens(self.pool(algorithm))
    }

    fn call_with(&self, algorithm: Algorithm, bytes: usize) -> Requests {
        Requests::call(bytes).with_token(self.pool(algorithm).swap_remove(0))
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Case {
    pub fn side(&self, world: &World, who: Who) -> Side {
        (self.make)(world, who)
    }

    fn new(name: &'static str, make: fn(&World, Who) -> Side) -> Self {
        Self {
            name,
            goal: None,
            make,
        }
    }

    fn goal(mut self, ratio: f64, slack: f64, allocations: Option<u64>) -> Self {
        self.goal = Some(Goal {
            ratio,
            slack,
            allocations,
        });
        self
    }
}

/// All cases.
pub fn all() -> Vec<Case> {
    let mut cases = vec![
        Case::new("parity/rs256/hot", |world, who| hot(world, who, Rs256)).goal(
            10.0,
            0.8,
            Some(32),
        ),
        Case::new("parity/rs256/10k", |world, who| {
            let requests = world.pool_of_calls(Rs256);
            Side::warmed(parity(world, who), requests, 200)
        }),
        Case::new("parity/rs256/cold", |world, who| cold(world, who, Rs256)).goal(
            1.0 / 0.85,
            0.95,
            None,
        ),
        Case::new("parity/rs256/bad_signature", |world, who| {
            let requests = Requests::call(300).with_token(world.tokens.badly_signed(Rs256));
            Side::new(parity(world, who), requests, 401)
        }),
        Case::new("parity/missing_token", |world, who| {
            Side::new(parity(world, who), Requests::call(300), 401)
        }),
        Case::new("parity/preflight", |world, who| {
            let status = if who == Who::Peer { 200 } else { 204 };
            Side::new(parity(world, who), Requests::preflight(), status)
        }),
        Case::new("parity/es256/hot", |world, who| hot(world, who, Es256)),
        Case::new("parity/es256/cold", |world, who| cold(world, who, Es256)),
        Case::new("parity/rs256/hot_without_trace", |world, who| {
            let service = who.parity_untraced(&world.setup(), inner::router());
            Side::new(service, world.call_with(Rs256, 300), 200)
        }),
        Case::new("parity/rs256/hot_without_router", |world, who| {
            let (setup, requests) = (world.setup(), world.call_with(Rs256, 300));
            match who {
                Who::Peer => Side::new(peer_without_router(&setup), requests, 200),
                Who::Ours => Side::new(ours_without_router(&setup), requests, 200),
            }
        }),
        Case::new("parity/rs256/hot_2_threads", |world, who| {
            Side::two_threads(parity(world, who), world.call_with(Rs256, 300), 200)
        }),
        Case::new("full/rs256/hot_300B", |world, who| full(world, who, 300)).goal(
            7.0,
            0.8,
            Some(45),
        ),
        Case::new("full/rs256/hot_2KB", |world, who| full(world, who, 2048)),
        Case::new("full/rs256/hot_64KB", |world, who| full(world, who, 65_536)),
        Case::new("full/rs256/cold_300B", |world, who| {
            let setup = world.small_setup();
            let make = move || who.full(&setup, inner::router());
            Side::renewed(make, world.pool_of_calls(Rs256), 200)
        }),
        Case::new("full/rs256/hot_300B_2_threads", |world, who| {
            let service = who.full(&world.setup(), inner::router());
            Side::two_threads(service, world.call_with(Rs256, 300), 200)
        }),
    ];
    if HAS_LIMITS {
        cases.insert(6, Case::new("parity/denied_by_limit", denied));
    }
    cases
}

fn parity(world: &World, who: Who) -> Router {
    who.parity(&world.setup(), inner::router())
}

fn hot(world: &World, who: Who, algorithm: Algorithm) -> Side {
    let requests = world.call_with(algorithm, 300);
    Side::new(parity(world, who), requests, 200)
}

fn cold(world: &World, who: Who, algorithm: Algorithm) -> Side {
    let setup = world.small_setup();
    let make = move || who.parity(&setup, inner::router());
    Side::renewed(make, world.pool_of_calls(algorithm), 200)
}

fn full(world: &World, who: Who, bytes: usize) -> Side {
    let service = who.full(&world.setup(), inner::router());
    Side::new(service, world.call_with(Rs256, bytes), 200)
}

fn denied(world: &World, who: Who) -> Side {
    let setup = Setup {
        quota: Quota::One,
        ..world.setup()
    };
    let service = who.parity(&setup, inner::router());
    let mut requests = world.call_with(Rs256, 300);
    assert_eq!(crate::common::drive::drive(&service, requests.one()), 200);
    Side::new(service, requests, 429)
}
