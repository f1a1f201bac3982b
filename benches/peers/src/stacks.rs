//! Both stacks in the same place: around a router, given to it as one composed layer.

use axum::{Router, middleware::from_fn_with_state};
use tower::Layer;
use tower_http::{
    classify::{ServerErrorsAsFailures, SharedClassifier},
    trace::TraceLayer,
};

use crate::{
    common::{
        inner::{Inner, served},
        ours::{self, Setup},
    },
    peer, peer_full,
    side::Answers,
};

/// Whose stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Peer,
    Ours,
}

impl Who {
    pub const BOTH: [Self; 2] = [Self::Peer, Self::Ours];

    pub fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Ours => "ours",
        }
    }

    /// The same work on both sides.
    pub fn parity(self, setup: &Setup, router: Router) -> Router {
        served(match self {
            Self::Peer => router.layer((trace(), peer::parity(setup))),
            Self::Ours => router.layer((trace(), ours::parity(setup))),
        })
    }

    /// The same, without tower-http's tracing on either side.
    pub fn parity_untraced(self, setup: &Setup, router: Router) -> Router {
        served(match self {
            Self::Peer => router.layer(peer::parity(setup)),
            Self::Ours => router.layer(ours::parity(setup)),
        })
    }

    /// All that ours does; on the peers' side with permissions and the audit line.
    pub fn full(self, setup: &Setup, router: Router) -> Router {
        served(match self {
            Self::Peer => router.layer((
                trace(),
                peer::parity(setup),
                from_fn_with_state(peer_full::policy(), peer_full::authorize),
            )),
            Self::Ours => router.layer((trace(), ours::full(setup))),
        })
    }
}

pub fn peer_without_router(setup: &Setup) -> impl Answers {
    (trace(), peer::parity(setup)).layer(Inner)
}

pub fn ours_without_router(setup: &Setup) -> impl Answers {
    (trace(), ours::parity(setup)).layer(Inner)
}

/// Of tower-http, on both sides alike.
fn trace() -> TraceLayer<SharedClassifier<ServerErrorsAsFailures>> {
    TraceLayer::new_for_http()
}
