use std::{
    collections::HashSet,
    fmt,
    ops::RangeInclusive,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use bartizan_core::{Events, Secret, SystemClock, breaker::Breaker};
use bartizan_redis::Redis;
use hkdf::Hkdf;
use sha2::Sha256;
use siphasher::sip128::SipHasher13;
use zeroize::Zeroizing;

use super::{Fleet, leases::Leases, link::Link};
use crate::{RateLimitConfigError, keys::KeyMaker};

/// Builds a [`Fleet`]; made by [`Fleet::builder`].
#[derive(Clone)]
#[must_use]
pub struct FleetBuilder {
    redis: Redis,
    secret: Secret,
    name: String,
    wait: Duration,
    replicas: Option<u32>,
    events: Events,
    leases: bool,
}

const WAITS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(1);
const MOST_REPLICAS: u32 = 10_000;
const LONGEST_NAME: usize = 64;
/// What a made-up secret has less of, and a random one of 32 bytes, or its hexadecimal text, has not.
const MIN_DISTINCT: usize = 8;

/// So many decisions in a row without an answer, and Redis is left alone.
const FAILURES: u32 = 5;
/// For so long; up to half as long again by chance, so that the processes do not all come back at once.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

impl FleetBuilder {
    pub(super) fn new(redis: Redis, secret: Secret) -> Self {
        Self {
            redis,
            secret,
            name: "default".to_owned(),
            wait: Duration::from_millis(20),
            replicas: None,
            events: Events::default(),
            leases: false,
        }
    }

    /// What tells these limits from others in the same Redis: up to 64 letters, digits, `_`, `-` and `.`. Default
    /// `default`. The buckets are called `bartizan:limits:{name}:` and a hash.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// How long a request waits for Redis, 1 ms to 1 s; then its tiers do what they do while Redis is away. Default
    /// 20 ms.
    pub fn wait(mut self, time: Duration) -> Self {
        self.wait = time;
        self
    }

    /// How many processes there are, 1 to 10 000: while Redis is away each has as great a part of a tier that says
    /// [`Outage::LocalShare`](crate::Outage::LocalShare).
    pub fn replicas(mut self, processes: u32) -> Self {
        self.replicas = Some(processes);
        self
    }

    /// Pays in advance for keys that are asked for often, so that most of their requests are decided without a round trip.
    /// The fleet never exceeds a limit by that; a process may be refused for a moment what another one has paid for and
    /// not yet used or returned.
    pub fn leases(mut self) -> Self {
        self.leases = true;
        self
    }

    /// Where to report that Redis does not answer (`shared_limits_away`), that it does again (`shared_limits_back`), and
    /// that buckets held what nobody of the fleet wrote (`shared_limits_unreadable`).
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// The fleet. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// If the secret is shorter than [`Fleet::MIN_SECRET_BYTES`] or has so few different bytes that nothing random made
    /// it, or the name, the wait or the number of replicas is out of range.
    pub fn build(self) -> Result<Fleet, RateLimitConfigError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if !(1..=LONGEST_NAME).contains(&self.name.len()) || !self.name.bytes().all(is_plain) {
            let problem = "is not a name of 1 to 64 letters, digits, `_`, `-` and `.`";
            return Err(RateLimitConfigError::new("fleet", &self.name, problem));
        }
        if !WAITS.contains(&self.wait) {
            let value = format!("{:?}", self.wait);
            let problem = "is not between 1 ms and 1 s";
            return Err(RateLimitConfigError::new("wait", value, problem));
        }
        if let Some(replicas) = self.replicas
            && !(1..=MOST_REPLICAS).contains(&replicas)
        {
            let problem = "is not from 1 to 10000";
            return Err(RateLimitConfigError::new("replicas", replicas, problem));
        }
        let [owners, masks, names] = derived(&self.secret)?;
        Ok(Fleet(Arc::new(Link {
            redis: self.redis,
            prefix: format!("bartizan:limits:{{{}}}:", self.name),
            keys: KeyMaker::with_secrets(&owners, &masks),
            names: SipHasher13::new_with_key(&names),
            wait: self.wait,
            replicas: self.replicas,
            events: self.events,
            clock: SystemClock::new(),
            breaker: Breaker::new(FAILURES, PAUSE, 2 * self.wait),
            is_away: AtomicBool::new(false),
            counts: super::link::Counts::default(),
            leases: self.leases.then(Leases::default),
            is_swept: AtomicBool::new(false),
        })))
    }
}

/// Keys for owners, tiers and names, none of which tells another.
fn derived(secret: &Secret) -> Result<[Zeroizing<[u8; 16]>; 3], RateLimitConfigError> {
    let secret = secret.expose();
    let error = |problem| RateLimitConfigError::new("secret", "(hidden)", problem);
    if secret.len() < Fleet::MIN_SECRET_BYTES {
        return Err(error("is shorter than 32 bytes"));
    }
    if secret.iter().collect::<HashSet<_>>().len() < MIN_DISTINCT {
        return Err(error("has too few different bytes to be random"));
    }
    let keys = Hkdf::<Sha256>::new(None, secret);
    let key = |info: &str| {
        let mut key = Zeroizing::new([0; 16]);
        let derived = keys.expand(info.as_bytes(), key.as_mut_slice());
        derived.map_err(|_| error("gives no keys")).map(|()| key)
    };
    Ok([
        key("bartizan-ratelimit 1 owners")?,
        key("bartizan-ratelimit 1 tiers")?,
        key("bartizan-ratelimit 1 names")?,
    ])
}

impl fmt::Debug for FleetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetBuilder")
            .field("redis", &self.redis)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
