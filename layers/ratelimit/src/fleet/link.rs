use std::{
    fmt::Write as _,
    hash::Hasher as _,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bartizan_core::{
    Clock, Event, Events, Severity, SystemClock,
    breaker::{Breaker, Change, Permit},
};
use bartizan_redis::{Redis, RedisFault, Value};
use siphasher::sip128::{Hasher128, SipHasher13};
use tokio::{runtime::Handle, time::timeout};

use super::{
    builder::PAUSE,
    leases::Leases,
    script::{self, Decided},
};
use crate::{
    asked::Ask,
    keys::{Id, KeyMaker},
};

/// A process's way to the buckets that its fleet shares.
pub(crate) struct Link {
    pub(super) redis: Redis,
    pub(super) prefix: String,
    pub(super) keys: KeyMaker,
    pub(super) names: SipHasher13,
    pub(super) wait: Duration,
    pub(super) replicas: Option<u32>,
    pub(super) events: Events,
    /// Redis is out of reach in real time, whatever clock the limits have.
    pub(super) clock: SystemClock,
    pub(super) breaker: Breaker,
    /// So that an outage is told once, and its end.
    pub(super) is_away: AtomicBool,
    pub(super) counts: Counts,
    /// None where every request asks Redis.
    pub(super) leases: Option<Leases>,
    /// Whether somebody looks after them.
    pub(super) is_swept: AtomicBool,
}

/// What this process has done so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Questions to Redis.
    pub(super) trips: AtomicU64,
    /// Those of them that had no answer, or none of use.
    pub(super) faults: AtomicU64,
    /// What nobody waits for any more.
    left_behind: AtomicUsize,
    /// When it was told of unreadable buckets, in seconds and one.
    told_at: AtomicU64,
}

/// Leave to ask Redis once. One that is dropped without an answer says nothing of Redis.
pub(super) struct Trip {
    link: Arc<Link>,
    permit: Option<Permit>,
}

type Asking = Pin<Box<dyn Future<Output = Result<Value, RedisFault>> + Send>>;

/// Questions and decisions that go on in the background at most.
const MOST_LEFT_BEHIND: usize = 256;

const TOLD_EVERY: u64 = 60;

impl Link {
    /// Leave to ask; when to come back, if Redis is left alone.
    pub(super) fn permit(self: &Arc<Self>) -> Result<Trip, Duration> {
        let permit = self.breaker.permit(self.clock.monotonic())?;
        Ok(Trip {
            link: Arc::clone(self),
            permit: Some(permit),
        })
    }

    /// Nanoseconds, by which leases are kept.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The name of a bucket: a hash of a hash, so that it tells neither of whom it is nor which others are theirs.
    pub(super) fn name(&self, id: Id) -> String {
        let Id(halves) = id;
        let mut hasher = self.names;
        for half in halves {
            hasher.write_u64(half);
        }
        let digest = hasher.finish128().as_u128();
        let mut name = String::with_capacity(self.prefix.len() + 32);
        name.push_str(&self.prefix);
        let _ = write!(name, "{digest:032x}");
        name
    }

    fn told(&self, fault: Option<&str>) {
        let is_away = fault.is_some();
        if self.is_away.swap(is_away, Ordering::Relaxed) == is_away {
            return;
        }
        #[cfg(feature = "metrics")]
        {
            let state = if is_away { "away" } else { "back" };
            metrics::counter!("bartizan_shared_limits_total", "state" => state).increment(1);
            metrics::gauge!("bartizan_shared_limits_up").set(if is_away { 0.0 } else { 1.0 });
        }
        let (severity, kind) = match is_away {
            true => (Severity::Error, "shared_limits_away"),
            false => (Severity::Info, "shared_limits_back"),
        };
        let detail = fault.unwrap_or("Redis answers").to_owned();
        self.events
            .emit(&Event::new("ratelimit", severity, kind, detail));
    }

    /// Once a minute at most.
    fn told_of_unreadable(&self, buckets: u64) {
        let now = self.clock.monotonic().as_secs();
        let told = self.counts.told_at.load(Ordering::Relaxed);
        if buckets == 0 || (told > 0 && now < told - 1 + TOLD_EVERY) {
            return;
        }
        self.counts.told_at.store(now + 1, Ordering::Relaxed);
        let detail =
            format!("{buckets} buckets held what nobody of the fleet wrote, and count as empty");
        let kind = "shared_limits_unreadable";
        self.events
            .emit(&Event::new("ratelimit", Severity::Warning, kind, detail));
    }
}

impl Trip {
    /// What Redis says about buckets, of which so many are wanted in advance; `None` if it does not in time.
    pub(super) async fn decide(self, asks: &[Ask], wanted: &[u32]) -> Option<Decided> {
        let names = asks.iter().map(|ask| self.link.name(ask.place.id()));
        let names: Vec<_> = names.collect();
        let arguments = script::arguments(asks.iter().zip(wanted.iter().copied()));
        let redis = self.link.redis.clone();
        let asking: Asking =
            Box::pin(async move { redis.run_script(&script::DECIDE, &names, &arguments).await });
        let answer = self.link.ask(asking).await;
        let decided = match &answer {
            Ok(answer) => script::read(answer, asks.len()).ok_or("an answer that is none"),
            Err(fault) => Err(fault.as_str()),
        };
        match decided {
            Ok(decided) => {
                self.link.told_of_unreadable(decided.unreadable);
                self.succeeded();
                Some(decided)
            }
            Err(fault) => {
                self.failed(fault);
                None
            }
        }
    }

    fn succeeded(mut self) {
        if let Some(permit) = self.permit.take() {
            self.link.breaker.succeeded(permit);
            self.link.told(None);
        }
    }

    fn failed(mut self, fault: &str) {
        self.link.counts.faults.fetch_add(1, Ordering::Relaxed);
        let Some(permit) = self.permit.take() else {
            return;
        };
        let jitter = PAUSE.mul_f64(0.5 * fastrand::f64());
        let now = self.link.clock.monotonic();
        if let Change::Opened(_) = self.link.breaker.failed_with_jitter(permit, now, jitter) {
            self.link.told(Some(fault));
        }
    }
}

impl Drop for Trip {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.link.breaker.passed_over(permit);
        }
    }
}

impl Link {
    /// Waits for an answer as long as a request may.
    async fn ask(self: &Arc<Self>, mut asking: Asking) -> Result<Value, String> {
        self.counts.trips.fetch_add(1, Ordering::Relaxed);
        let Ok(runtime) = Handle::try_current() else {
            return Err("there is no runtime of tokio".to_owned());
        };
        match timeout(self.wait, &mut asking).await {
            Ok(answer) => answer.map_err(|fault| fault.to_string()),
            Err(_) => {
                self.leave_behind(&runtime, asking);
                Err("no answer in time".to_owned())
            }
        }
    }

    /// Lets something go on for which nobody waits: a connection that takes longer to make than a request may wait
    /// would never be made, and one that is dead never be given up.
    pub(super) fn leave_behind(
        self: &Arc<Self>,
        runtime: &Handle,
        left: impl Future<Output: Send> + Send + 'static,
    ) {
        if self.counts.left_behind.fetch_add(1, Ordering::Relaxed) >= MOST_LEFT_BEHIND {
            self.counts.left_behind.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let link = Arc::clone(self);
        runtime.spawn(async move {
            let _ = left.await;
            link.counts.left_behind.fetch_sub(1, Ordering::Relaxed);
        });
    }
}
