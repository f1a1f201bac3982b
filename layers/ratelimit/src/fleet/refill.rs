//! What is done for leases while no request waits.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

use super::{
    lease::Grant,
    leases::{Leases, Unspent},
    link::Link,
    script::{self, Decided},
};
use crate::{arithmetic, asked::Ask};

/// A lease that was not used for so long is returned.
const IDLE: Duration = Duration::from_secs(1);
const SWEEP: Duration = Duration::from_millis(500);
/// Leases that are returned by one script.
const MOST_AT_ONCE: usize = 100;
/// Returning is worth no longer wait.
const PATIENCE: Duration = Duration::from_secs(1);

impl Link {
    /// Asks for more of what is nearly used up.
    pub(super) fn refill(self: &Arc<Self>, asks: Vec<Ask>, wanted: Vec<u32>) {
        let (runtime, trip) = (Handle::try_current(), self.permit());
        let (Ok(runtime), Ok(trip)) = (runtime, trip) else {
            self.forsake(&asks);
            return;
        };
        let link = Arc::clone(self);
        runtime.spawn(async move {
            let sent_at = link.now();
            match trip.decide(&asks, &wanted).await {
                Some(decided) => link.learn(&asks, &decided, sent_at),
                None => link.forsake(&asks),
            }
        });
    }

    /// Keeps what Redis said of buckets.
    pub(super) fn learn(self: &Arc<Self>, asks: &[Ask], decided: &Decided, sent_at: u64) {
        let Some(leases) = &self.leases else { return };
        let mut is_any = false;
        for (ask, bucket) in asks.iter().zip(&decided.buckets) {
            if ask.cost > 0
                && let Err(wait) = arithmetic::judge(ask.quota, ask.cost, bucket.owed, 0)
            {
                leases.refuse(ask, sent_at, wait.nanos);
                continue;
            }
            let charged = u64::from(ask.cost).saturating_add(u64::from(bucket.granted));
            let owed = ask.quota.interval().saturating_mul(charged);
            let grant = Grant {
                requests: bucket.granted,
                owed: bucket.owed.saturating_add(owed),
                sent_at,
                server_now: decided.now,
            };
            leases.grant(&ask.place, grant);
            is_any |= bucket.granted > 0;
        }
        if is_any {
            self.look_after();
        }
    }

    pub(super) fn forsake(&self, asks: &[Ask]) {
        if let Some(leases) = &self.leases {
            for ask in asks {
                leases.forsake(&ask.place);
            }
        }
    }

    /// Returns all that is not spent.
    pub(super) async fn end_leases(&self) {
        if let Some(leases) = &self.leases {
            self.give_back(leases.end_idle(0, self.now())).await;
        }
    }

    async fn give_back(&self, unspent: Vec<Unspent>) {
        for unspent in unspent.chunks(MOST_AT_ONCE) {
            let names: Vec<_> = unspent
                .iter()
                .map(|unspent| self.name(unspent.id))
                .collect();
            let arguments = script::returned(unspent);
            let returned = self.redis.run_script(&script::RETURN, &names, &arguments);
            // What does not arrive is lost until it melts away. Sent again it could be returned twice.
            let _ = timeout(PATIENCE, returned).await;
        }
    }

    /// Sees to it that what nobody uses is returned, for as long as there is any.
    fn look_after(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !self.is_swept.swap(true, Ordering::AcqRel) {
            let sweeper = Sweeper {
                link: Arc::downgrade(self),
                is_done: false,
            };
            runtime.spawn(sweeper.sweep());
        }
    }
}

/// Ends with its runtime, or when there is nothing to look after.
struct Sweeper {
    link: Weak<Link>,
    is_done: bool,
}

impl Sweeper {
    async fn sweep(mut self) {
        while !self.is_done {
            sleep(SWEEP).await;
            let Some(link) = self.link.upgrade() else {
                return;
            };
            let Some(leases) = &link.leases else { return };
            let idle = u64::try_from(IDLE.as_nanos()).unwrap_or(u64::MAX);
            link.give_back(leases.end_idle(idle, link.now())).await;
            self.is_done = is_done(leases, &link.is_swept);
        }
    }
}

/// Whether there is nothing to look after, or somebody else does.
fn is_done(leases: &Leases, is_swept: &AtomicBool) -> bool {
    if !leases.is_empty() {
        return false;
    }
    is_swept.store(false, Ordering::Release);
    // One that was made before that found somebody looking after it.
    leases.is_empty() || is_swept.swap(true, Ordering::AcqRel)
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        // Where it ended with its runtime, the next lease starts another.
        if !self.is_done
            && let Some(link) = self.link.upgrade()
        {
            link.is_swept.store(false, Ordering::Release);
        }
    }
}
