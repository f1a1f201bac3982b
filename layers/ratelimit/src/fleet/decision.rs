use std::{sync::Arc, time::Duration};

use bartizan_core::{Call, Denial, DenialKind, SecurityContext, call::Judged, note};

use super::{Outage, builder::PAUSE, link::Trip, script::Decided};
use crate::{
    Told,
    asked::{Ask, Asked},
    judge::refused,
    limiter::{self, Admitted, Exhausted, Permit},
    rule::Rule,
    shared::{Limits, Shared},
};

/// A request, and what it is decided by.
struct Asking {
    shared: Arc<Shared>,
    limits: Arc<Limits>,
    call: Call,
    context: SecurityContext,
}

/// A request of which what this process keeps has been charged, and what others share is yet to be asked.
struct Reserved<'l> {
    asking: &'l Asking,
    asked: Asked,
    admitted: Admitted<'l>,
    permit: Option<Permit>,
}

/// Decides a request that shared tiers concern: at once while Redis is away, and otherwise once it has answered.
pub(crate) fn begin(
    shared: &Arc<Shared>,
    limits: Arc<Limits>,
    asked: Asked,
    call: &Call,
    context: &SecurityContext,
) -> Result<Judged<Told>, Denial> {
    let Some(fleet) = shared.fleet() else {
        return Err(unavailable("no fleet keeps its buckets", PAUSE));
    };
    let asking = Asking {
        shared: Arc::clone(shared),
        limits,
        call: call.clone(),
        context: context.clone(),
    };
    match fleet.0.permit() {
        Ok(trip) => Ok(Judged::Later(Box::pin(asking.decide(asked, trip)))),
        Err(pause) => {
            let reserved = asking.reserve(asked)?;
            reserved.without_redis(pause).map(Judged::Now)
        }
    }
}

impl Asking {
    async fn decide(self, asked: Asked, trip: Trip) -> Result<Told, Denial> {
        let mut reserved = self.reserve(asked)?;
        let decided = trip.decide(&reserved.asked.fleet).await;
        match decided.and_then(|decided| reserved.weigh(&decided)) {
            Some(Ok(admitted)) => Ok(reserved.complete(admitted)),
            Some(Err(exhausted)) => Err(reserved.refuse(&exhausted)),
            None => reserved.without_redis(PAUSE),
        }
    }

    /// What this process keeps is asked first, and charged: what it refuses costs no trip.
    fn reserve(&self, mut asked: Asked) -> Result<Reserved<'_>, Denial> {
        let (shared, rules) = (&self.shared, &self.limits.rules);
        let admitted = limiter::reserve(shared.table(), rules, &mut asked, shared.now())
            .map_err(|exhausted| self.refused(&exhausted))?;
        Ok(Reserved {
            asking: self,
            permit: shared.permit(&self.limits, &asked),
            asked,
            admitted,
        })
    }

    fn refused(&self, exhausted: &Exhausted<'_>) -> Denial {
        refused(exhausted, self.limits.telling, self.call.method())
    }
}

impl<'l> Reserved<'l> {
    /// The decision of Redis, which is told like one of ours; `None` if it makes no sense.
    fn weigh(&mut self, decided: &Decided) -> Option<Result<Admitted<'l>, Exhausted<'l>>> {
        let now = self.asking.shared.now();
        let asks = &mut self.asked.fleet;
        for (ask, bucket) in asks.iter_mut().zip(&decided.buckets) {
            ask.value = Some(now.saturating_add(bucket.owed));
        }
        let (admitted, exhausted) = limiter::weigh(&self.asking.limits.rules, asks, now);
        match (decided.is_admitted, exhausted) {
            (true, None) => Some(Ok(admitted)),
            (false, Some(exhausted)) => Some(Err(exhausted)),
            _ => None,
        }
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
        let replicas = shared.fleet().and_then(super::Fleet::replicas).unwrap_or(1);
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
        ..Ask::new(ask.tier, ask.place, ask.quota.part(replicas), ask.cost)
    }
}

fn unavailable(reason: impl Into<std::borrow::Cow<'static, str>>, pause: Duration) -> Denial {
    Denial::new(DenialKind::Unavailable, reason).with_retry_after(pause)
}
