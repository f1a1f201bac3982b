use std::{sync::Arc, time::Duration};

use bartizan_core::{Call, Denial, DenialKind, SecurityContext, call::Judged, note};

use super::{
    Fleet, Outage, builder::PAUSE, link::Trip, prepaid::Prepaid, script::Bucket, settled::Settled,
};
use crate::{
    Told,
    asked::{Ask, Asked},
    judge::refused,
    limiter::{self, Admitted, Exhausted, Permit},
    rule::Rule,
    shared::Shared,
    version::Limits,
};

/// A request, and what it is decided by.
#[derive(Clone, Copy)]
struct Asking<'l> {
    shared: &'l Arc<Shared>,
    limits: &'l Limits,
    call: &'l Call,
    context: &'l SecurityContext,
}

/// A request of which what this process keeps has been charged, and what others share is yet to be asked.
struct Reserved<'l> {
    asking: Asking<'l>,
    asked: Asked,
    admitted: Admitted<'l>,
    permit: Option<Box<Permit>>,
    prepaid: Prepaid,
}

/// Decides a request that shared tiers concern: at once by leases or while Redis is away, and otherwise once it has
/// answered.
pub(crate) fn begin(
    shared: &Arc<Shared>,
    limits: Arc<Limits>,
    mut asked: Asked,
    call: &Call,
    context: &SecurityContext,
) -> Result<Judged<Told>, Denial> {
    let Some(Fleet(link)) = shared.fleet() else {
        return Err(unavailable("no fleet keeps its buckets", PAUSE));
    };
    let asking = Asking {
        shared,
        limits: &limits,
        call,
        context,
    };
    let mut prepaid = Prepaid::take(link, &mut asked, shared.now());
    if prepaid.is_refused {
        prepaid.put_back();
        link.forsake(&asked.fleet);
        let (_, exhausted) = limiter::weigh(&limits.rules, &mut prepaid.asks, prepaid.at);
        return Err(match exhausted {
            Some(exhausted) => asking.refused(&exhausted),
            None => unavailable("what was refused a moment ago is not now", PAUSE),
        });
    }
    if asked.fleet.is_empty() {
        let mut reserved = asking.reserve(asked, prepaid)?;
        return match reserved.weigh(&[]) {
            (admitted, None) => Ok(Judged::Now(reserved.complete(admitted))),
            (_, Some(exhausted)) => Err(reserved.refuse(&exhausted)),
        };
    }
    match link.permit() {
        Ok(trip) => {
            let link = Arc::clone(link);
            let (shared, call, context) = (Arc::clone(shared), call.clone(), context.clone());
            let decision = Box::pin(async move {
                let asking = Asking {
                    shared: &shared,
                    limits: &limits,
                    call: &call,
                    context: &context,
                };
                asking.decide(asked, prepaid, trip).await
            });
            Ok(Judged::Later(Box::pin(Settled::new(link, decision))))
        }
        Err(pause) => {
            link.forsake(&asked.fleet);
            let reserved = asking.reserve(asked, prepaid)?;
            reserved.without_redis(pause).map(Judged::Now)
        }
    }
}

impl<'l> Asking<'l> {
    async fn decide(self, asked: Asked, prepaid: Prepaid, trip: Trip) -> Result<Told, Denial> {
        let link = Arc::clone(&prepaid.link);
        let mut reserved = self.reserve(asked, prepaid)?;
        let sent_at = link.now();
        let decided = trip
            .decide(&reserved.asked.fleet, &reserved.prepaid.wanted)
            .await;
        let Some(decided) = decided else {
            link.forsake(&reserved.asked.fleet);
            return reserved.without_redis(PAUSE);
        };
        link.learn(&reserved.asked.fleet, &decided, sent_at);
        match (decided.is_admitted, reserved.weigh(&decided.buckets)) {
            (true, (admitted, None)) => Ok(reserved.complete(admitted)),
            (false, (_, Some(exhausted))) => Err(reserved.refuse(&exhausted)),
            // It makes no sense.
            _ => reserved.without_redis(PAUSE),
        }
    }

    /// What this process keeps is asked first, and charged: what it refuses costs no trip.
    fn reserve(self, mut asked: Asked, prepaid: Prepaid) -> Result<Reserved<'l>, Denial> {
        let (shared, rules) = (self.shared, &self.limits.rules);
        match limiter::reserve(shared.table(), rules, &mut asked, shared.now()) {
            Ok(admitted) => Ok(Reserved {
                asking: self,
                permit: shared.permit(self.limits, &asked),
                asked,
                admitted,
                prepaid,
            }),
            Err(exhausted) => {
                prepaid.put_back();
                prepaid.link.forsake(&asked.fleet);
                Err(self.refused(&exhausted))
            }
        }
    }

    fn refused(self, exhausted: &Exhausted<'_>) -> Denial {
        refused(exhausted, self.limits.telling, self.call.method())
    }
}

impl<'l> Reserved<'l> {
    /// What leases and Redis decided, which is told like what is decided here.
    fn weigh(&mut self, buckets: &[Bucket]) -> (Admitted<'l>, Option<Exhausted<'l>>) {
        let (rules, now) = (&self.asking.limits.rules, self.asking.shared.now());
        let asks = &mut self.asked.fleet;
        for (ask, bucket) in asks.iter_mut().zip(buckets) {
            ask.full_at = now.saturating_add(bucket.owed);
        }
        let (admitted, exhausted) = limiter::weigh(rules, asks, now);
        let (prepaid, refused) = limiter::weigh(rules, &mut self.prepaid.asks, self.prepaid.at);
        (prepaid.and(admitted), refused.or(exhausted))
    }

    /// All let it pass.
    fn complete(self, admitted: Admitted<'l>) -> Told {
        let Asking {
            shared,
            limits,
            context,
            ..
        } = self.asking;
        limiter::count(&limits.rules, &self.asked);
        limiter::count_rates(&limits.rules, &self.asked.fleet);
        limiter::count_rates(&limits.rules, &self.prepaid.asks);
        let admitted = self.admitted.and(admitted);
        shared.tell_of_shadow(limits, &admitted, shared.now());
        Told::new(&admitted, self.permit, limits.telling, context)
    }

    /// Somebody refused it: what was charged here is returned, and what it holds while it is open goes with it.
    fn refuse(self, exhausted: &Exhausted<'_>) -> Denial {
        self.give_back();
        self.asking.refused(exhausted)
    }

    fn give_back(&self) {
        let shared = &self.asking.shared;
        limiter::give_back(shared.table(), &self.asked.rates, shared.now());
        self.prepaid.put_back();
    }

    /// Each tier does what it is to do while Redis is away.
    fn without_redis(mut self, pause: Duration) -> Result<Told, Denial> {
        let Asking {
            shared,
            limits,
            context,
            ..
        } = self.asking;
        let rule = |ask: &Ask| limits.rules.get(ask.tier);
        let is_closed = |rule: &&Rule| rule.outage == Some(Outage::Closed);
        let obeyed = self.asked.fleet.iter().filter(|ask| !ask.is_shadow);
        if let Some(closed) = obeyed.filter_map(rule).find(is_closed) {
            closed.counters.count(true);
            let reason = format!(
                "tier `{}` is kept in Redis, which does not answer",
                closed.name
            );
            self.give_back();
            return Err(unavailable(reason, pause));
        }
        let replicas = shared.fleet().and_then(Fleet::replicas).unwrap_or(1);
        let parts =
            self.asked.fleet.iter().filter(|ask| {
                rule(ask).is_some_and(|rule| rule.outage == Some(Outage::LocalShare))
            });
        let mut shares = Asked {
            rates: parts.map(|ask| part(ask, replicas)).collect(),
            ..Asked::default()
        };
        let now = shared.now();
        match limiter::decide(shared.table(), &limits.rules, &mut shares, now) {
            Ok(admitted) => {
                let reason = "Redis does not answer: shared tiers do as they are to do then";
                note!("ratelimit", context, "decided_without_redis", reason);
                self.asked.fleet.retain(|ask| {
                    rule(ask).is_some_and(|rule| rule.outage != Some(Outage::LocalShare))
                });
                Ok(self.complete(admitted))
            }
            Err(exhausted) => Err(self.refuse(&exhausted)),
        }
    }
}

/// What one process of so many may take while nobody counts for all.
fn part(ask: &Ask, replicas: u32) -> Ask {
    Ask {
        most_owed: ask.most_owed.saturating_mul(u64::from(replicas)),
        is_shadow: ask.is_shadow,
        is_told: ask.is_told,
        ..Ask::new(ask.tier, ask.place, ask.quota.part(replicas), ask.cost)
    }
}

fn unavailable(reason: impl Into<std::borrow::Cow<'static, str>>, pause: Duration) -> Denial {
    Denial::new(DenialKind::Unavailable, reason).with_retry_after(pause)
}
