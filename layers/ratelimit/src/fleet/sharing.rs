use std::collections::{BTreeMap, HashSet};

use super::{Fleet, Outage};
use crate::{RateLimitConfigError, Tier};

/// Which tiers are shared, and by whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sharing {
    pub(crate) fleet: Option<Fleet>,
    /// By their names; those that say it themselves are not here.
    pub(crate) tiers: BTreeMap<Box<str>, Outage>,
}

/// It is there without being configured, if a credential says how often it may be used.
const CREDENTIAL: &str = "credential";

impl Sharing {
    /// What a tier does while Redis is away, if it is shared.
    pub(crate) fn outage(&self, tier: &Tier) -> Option<Outage> {
        tier.outage.or_else(|| self.tiers.get(&tier.name).copied())
    }

    /// # Errors
    ///
    /// What is missing or contradictory.
    pub(crate) fn check(&self, tiers: &[Tier]) -> Result<(), RateLimitConfigError> {
        let error =
            |name: &str, problem| Err(RateLimitConfigError::new("shared tier", name, problem));
        let is_there =
            |name: &str| name == CREDENTIAL || tiers.iter().any(|tier| &*tier.name == name);
        if let Some(name) = self.tiers.keys().find(|name| !is_there(name)) {
            return error(name, "is none of these limits");
        }
        let configured = tiers.iter().filter_map(|tier| {
            let outage = self.outage(tier)?;
            Some((&*tier.name, outage))
        });
        let credential = self
            .tiers
            .get(CREDENTIAL)
            .map(|outage| (CREDENTIAL, *outage));
        for (name, outage) in configured.chain(credential) {
            let Some(fleet) = &self.fleet else {
                return error(name, "has no fleet that shares it");
            };
            if outage == Outage::LocalShare && fleet.replicas().is_none() {
                return error(
                    name,
                    "falls back to its part, and nobody said of how many replicas",
                );
            }
        }
        let mut identities = HashSet::new();
        let shared = tiers.iter().filter(|tier| self.outage(tier).is_some());
        for tier in shared {
            if !identities.insert(tier.fleet_identity()) {
                return error(&tier.name, "can't be told from another in other processes");
            }
        }
        Ok(())
    }
}
