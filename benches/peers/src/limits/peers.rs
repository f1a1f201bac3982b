use std::num::NonZeroU32;

use axum::body::Body;
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter, clock::QuantaInstant, middleware::NoOpMiddleware,
};
use http::Request;
use tower::{Layer, service_fn};
use tower_governor::{
    GovernorError, GovernorLayer,
    governor::GovernorConfigBuilder,
    key_extractor::{KeyExtractor, PeerIpKeyExtractor},
};

use super::{
    BURST, Case, FIELDS, SLOW, Side,
    work::{Decisions, Passes, answer},
};

/// As many limiters as there are tiers, asked one after the other.
pub(super) fn governor(case: &Case) -> Side {
    let quota = match case.is_warm() {
        true => Quota::per_second(NonZeroU32::new(1_000_000_000).unwrap()),
        false => Quota::with_period(SLOW).unwrap(),
    };
    let quota = quota.allow_burst(NonZeroU32::new(BURST).unwrap());
    let limiter = |_| -> DefaultKeyedRateLimiter<u64> { RateLimiter::keyed(quota) };
    let limiters: Vec<_> = (0..case.tiers).map(limiter).collect();
    let decide = move |key: &u64| {
        limiters
            .iter()
            .all(|limiter| limiter.check_key(key).is_ok())
    };
    Side {
        name: "governor",
        work: Box::new(Decisions::new(|caller| u64::from(caller.0), decide)),
    }
}

/// A key as one writes it by hand.
#[derive(Clone, Copy)]
struct ByField(&'static str);

impl KeyExtractor for ByField {
    type Key = String;

    fn extract<T>(&self, request: &Request<T>) -> Result<String, GovernorError> {
        let said = request.headers().get(self.0);
        let said = said.and_then(|value| value.to_str().ok());
        said.map(str::to_owned)
            .ok_or(GovernorError::UnableToExtractKey)
    }
}

fn limit<K: KeyExtractor>(
    case: &Case,
    by: K,
) -> GovernorLayer<K, NoOpMiddleware<QuantaInstant>, Body> {
    let mut config = GovernorConfigBuilder::default().key_extractor(by);
    match case.is_warm() {
        true => config.per_nanosecond(1).burst_size(BURST),
        false => config.period(SLOW).burst_size(BURST),
    };
    GovernorLayer::new(config.finish().unwrap())
}

pub(super) fn tower_governor(case: &Case) -> Side {
    let inner = limit(case, PeerIpKeyExtractor).layer(service_fn(answer));
    let [one, two, three] = FIELDS.map(|field| limit(case, ByField(field)));
    Side {
        name: "tower_governor",
        work: match case.tiers {
            1 => Box::new(Passes::new(inner)),
            _ => Box::new(Passes::new(three.layer(two.layer(one.layer(inner))))),
        },
    }
}

#[cfg(feature = "tower-rate-limiter")]
pub(super) use newer::tower_rate_limiter;

#[cfg(feature = "tower-rate-limiter")]
mod newer {
    use std::time::Duration;

    use http::Request;
    use tower::{Layer, service_fn};
    use tower_rate_limiter::{
        FixedWindow, GcraQuota, IpKeyExtractor, KeyExtractor, MemoryGcra, MemoryStore,
        RateLimitError, RateLimitFields, RateLimitLayer, RateLimitPolicy,
    };

    use super::{
        super::{Case, FIELDS, SLOW, Side},
        Passes, answer,
    };

    #[derive(Clone, Copy)]
    struct ByField(&'static str);

    impl KeyExtractor for ByField {
        type Key = String;

        fn extract<T>(&self, request: &Request<T>) -> Result<String, RateLimitError> {
            let said = request.headers().get(self.0);
            let said = said.and_then(|value| value.to_str().ok());
            said.map(str::to_owned)
                .ok_or_else(|| RateLimitError::Key("none".into(), String::new()))
        }
    }

    /// By a fixed window, and by GCRA.
    pub(in super::super) fn tower_rate_limiter(case: &Case) -> [Side; 2] {
        // It knows nothing shorter than a microsecond, and nothing longer than a year.
        let quota = match case.is_warm() {
            true => GcraQuota::new(1_000_000, Duration::from_secs(1), u32::MAX),
            false => GcraQuota::new(1, SLOW, 8000),
        };
        let quota = quota.unwrap();
        let window = || FixedWindow::new(MemoryStore::new(), 1_000_000_000_000, SLOW).unwrap();
        [
            side(case, "tower-rate-limiter, fixed window", window),
            side(case, "tower-rate-limiter, GCRA", || MemoryGcra::new(quota)),
        ]
    }

    fn side<P>(case: &Case, name: &'static str, policy: impl Fn() -> P) -> Side
    where
        P: RateLimitPolicy + Send + Sync + 'static,
        P::Future: Send,
    {
        let inner = limit(IpKeyExtractor::new(), policy()).layer(service_fn(answer));
        let [one, two, three] = FIELDS.map(|field| limit(ByField(field), policy()));
        Side {
            name,
            work: match case.tiers {
                1 => Box::new(Passes::new(inner)),
                _ => Box::new(Passes::new(three.layer(two.layer(one.layer(inner))))),
            },
        }
    }

    fn limit<K: KeyExtractor, P: RateLimitPolicy>(by: K, policy: P) -> RateLimitLayer<K, P> {
        RateLimitLayer::builder(by)
            .with_policy(policy)
            .rate_limit_fields(RateLimitFields::Disabled)
            .build()
            .unwrap()
    }
}
