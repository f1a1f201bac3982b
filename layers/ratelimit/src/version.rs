use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicU64, Ordering},
};

use bartizan_core::{CallLimits, Events, Principal};

#[cfg(feature = "redis")]
use crate::fleet::Sharing;
use crate::{
    By, Quota, RateLimitConfigError, Tier,
    asked::{Ask, Asked, OpenAsk, Place},
    by::Prefixes,
    fields::Telling,
    keys::KeyMaker,
    parties::Parties,
    plans::{LowPriority, Plans, Use},
    rule::Rule,
    tier::Limit,
};

/// One version of the limits: a request is decided by one.
#[derive(Debug)]
pub(crate) struct Limits {
    /// 1 at first, and one more with every change.
    pub(crate) version: u64,
    pub(crate) rules: Vec<Rule>,
    pub(crate) plans: Plans,
    pub(crate) telling: Telling,
    pub(crate) prefixes: Prefixes,
    /// By the rates that credentials say themselves; and of discovery by these, where no other tier is for it. The
    /// first place knows no credentials.
    credential: Option<usize>,
    rated_discovery: Option<usize>,
    pub(crate) events: Events,
}

/// What a version is made of.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) tiers: Vec<Tier>,
    pub(crate) low: LowPriority,
    pub(crate) telling: Telling,
    pub(crate) prefixes: Prefixes,
    pub(crate) events: Events,
    pub(crate) is_outside: bool,
    pub(crate) max_keys: usize,
    pub(crate) call_limits: CallLimits,
    #[cfg(feature = "redis")]
    pub(crate) sharing: Sharing,
}

impl Draft {
    /// What findings and events call the place.
    pub(crate) fn layer(&self) -> &'static str {
        match self.is_outside {
            true => "address_limit",
            false => "ratelimit",
        }
    }
}

impl Limits {
    /// What a draft says, where something was in force before with the buckets and counts of what goes on.
    pub(crate) fn new(
        draft: Draft,
        keys: &KeyMaker,
        numbers: &AtomicU64,
        before: Option<&Self>,
    ) -> Result<Self, RateLimitConfigError> {
        draft.prefixes.check().map_err(|(setting, bits, problem)| {
            RateLimitConfigError::new(setting, bits, problem)
        })?;
        let before_rules = before.into_iter().flat_map(|limits| &limits.rules);
        let known: HashMap<_, _> = before_rules.map(|rule| (&*rule.identity, rule)).collect();
        let mut rules: Vec<Rule> = Vec::with_capacity(draft.tiers.len());
        let mut identities = HashSet::new();
        let implied = match draft.is_outside {
            true => Vec::new(),
            false => implied()?,
        };
        for tier in draft.tiers.iter().chain(&implied) {
            tier.check(draft.is_outside)?;
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            let rule = Rule::new(tier, number, keys)?;
            #[cfg(feature = "redis")]
            let rule = match draft.sharing.outage(tier) {
                Some(outage) => rule.shared(tier, outage, keys, draft.layer())?,
                None => rule,
            };
            if !identities.insert(rule.identity.clone()) {
                return Err(RateLimitConfigError::new(
                    "tier",
                    &tier.name,
                    "is given twice",
                ));
            }
            rules.push(match known.get(&*rule.identity) {
                Some(same) => rule.continues(same),
                None => rule,
            });
        }
        let plans = match draft.is_outside {
            true => Plans::outside(&draft.tiers)?,
            false => Plans::inside(&draft.tiers, &draft.low)?,
        };
        Ok(Self {
            version: before.map_or(1, |limits| limits.version + 1),
            credential: implied.first().map(|_| draft.tiers.len()),
            rated_discovery: implied.get(1).map(|_| draft.tiers.len() + 1),
            rules,
            plans,
            telling: draft.telling,
            prefixes: draft.prefixes,
            events: draft.events,
        })
    }

    /// What the tiers that concern a call ask.
    #[inline]
    pub(crate) fn ask(
        &self,
        asked: &mut Asked,
        uses: &[Use],
        parties: &Parties<'_>,
        body_bytes: usize,
    ) {
        for used in uses {
            let Some(rule) = self.rules.get(used.tier) else {
                continue;
            };
            let Some(place) = parties.place(rule) else {
                continue;
            };
            match rule.limit {
                Limit::Rate(quota) => {
                    let cost = rule.cost(used.cost, body_bytes);
                    let ask = Ask {
                        most_owed: rule.most_owed,
                        is_shadow: rule.is_shadow,
                        is_told: !self.telling.quiet,
                        ..Ask::new(used.tier, place, quota, cost)
                    };
                    asked.ask(rule, ask);
                }
                Limit::Open(_) => asked.open.push(OpenAsk {
                    tier: used.tier,
                    place,
                    most: used.most,
                    is_shadow: rule.is_shadow,
                    is_refused: false,
                    count: 0,
                }),
            }
        }
    }

    /// What a credential asks that says itself how often it may be used.
    pub(crate) fn ask_credential(
        &self,
        asked: &mut Asked,
        parties: &Parties<'_>,
        principal: &Principal,
        is_apart: bool,
    ) {
        if is_apart {
            // One in shadow holds nobody.
            if asked.is_unlimited()
                && let Some((tier, rule)) = self.implied(self.rated_discovery)
                && let Limit::Rate(quota) = rule.limit
            {
                let place = Place::of(rule.mask, Some(parties.account()));
                asked.ask(rule, Ask::new(tier, place, quota, 1));
            }
            return;
        }
        let Some((tier, rule)) = self.implied(self.credential) else {
            return;
        };
        parties.chain(principal, |owner, rate| {
            let place = Place::of(rule.mask, Some(&owner));
            asked.ask(rule, Ask::new(tier, place, rule.counted(rate.into()), 1));
        });
    }

    fn implied(&self, index: Option<usize>) -> Option<(usize, &Rule)> {
        Some((index?, self.rules.get(index?)?))
    }
}

/// The tiers that nobody configures: of credentials that say a rate themselves, and of discovery by them. The
/// credentials' quotas are their own; this would do for one that says none.
fn implied() -> Result<Vec<Tier>, RateLimitConfigError> {
    let strictest = Quota::per_minute(1)?.burst(1)?;
    let tiers = [
        ("credential", strictest),
        ("discovery", default_discovery()?),
    ];
    Ok(tiers
        .map(|(name, quota)| Tier::rate(name, quota).by(By::account()).implied())
        .into())
}

/// Of who may ask what the server speaks.
pub(crate) fn default_discovery() -> Result<Quota, RateLimitConfigError> {
    Quota::per_minute(60)?.burst(30)
}
