use std::{mem, sync::Arc};

use super::{
    lease::{Stand, Taken},
    link::Link,
};
use crate::asked::{Ask, Asked};

/// What leases decide of a request.
pub(super) struct Prepaid {
    pub(super) link: Arc<Link>,
    /// What is known of buckets that Redis need not be asked about, and when.
    pub(super) asks: Vec<Ask>,
    pub(super) at: u64,
    taken: Vec<Option<Taken>>,
    /// Of each of the others, how many are wanted in advance.
    pub(super) wanted: Vec<u32>,
    /// Redis refused the like a moment ago.
    pub(super) is_refused: bool,
}

impl Prepaid {
    /// Takes from leases what they hold of what is asked, at a time of the limits' clock; the rest is left.
    pub(super) fn take(link: &Arc<Link>, asked: &mut Asked, now: u64) -> Self {
        let mut prepaid = Self {
            link: Arc::clone(link),
            asks: Vec::new(),
            at: now,
            taken: Vec::new(),
            wanted: Vec::new(),
            is_refused: false,
        };
        let Some(leases) = &link.leases else {
            prepaid.wanted = vec![0; asked.fleet.len()];
            return prepaid;
        };
        let at = link.now();
        let (mut low, mut more) = (Vec::new(), Vec::new());
        for mut ask in mem::take(&mut asked.fleet) {
            let (owed, taken) = match leases.take(&ask, at) {
                Stand::Ask(wanted) => {
                    asked.fleet.push(ask);
                    prepaid.wanted.push(wanted);
                    continue;
                }
                Stand::Refused(owed) => {
                    prepaid.is_refused |= !ask.is_shadow;
                    (owed, None)
                }
                Stand::Taken(taken) => {
                    if taken.wanted > 0 {
                        // It is not to be charged, nor to keep the others from more.
                        low.push(Ask {
                            cost: 0,
                            is_shadow: true,
                            ..ask
                        });
                        more.push(taken.wanted);
                    }
                    (taken.owed, Some(taken))
                }
            };
            ask.full_at = now.saturating_add(owed);
            prepaid.asks.push(ask);
            prepaid.taken.push(taken);
        }
        if !low.is_empty() {
            link.refill(low, more);
        }
        prepaid
    }

    /// For a request that somebody else refused.
    pub(super) fn put_back(&self) {
        let Some(leases) = &self.link.leases else {
            return;
        };
        for (ask, taken) in self.asks.iter().zip(&self.taken) {
            if let Some(taken) = taken {
                leases.put_back(ask, *taken);
            }
        }
    }
}
