use super::{GivenGrant, Grants};
use crate::{Decision, Operation, Policy, asker::Asker, roles::RoleSet};

/// Most grants that a record names.
const MOST_NAMED: usize = 4;

impl Grants {
    /// What grants have to do with a decision: those that it rests on, and roles of theirs that the policy
    /// does not know.
    pub(crate) fn explain(
        &self,
        policy: &Policy,
        asker: &Asker<'_>,
        decision: Decision,
        operation: &Operation<'_>,
    ) -> String {
        let decide = |asker: &Asker<'_>| policy.decide_by(Some(asker), operation, |_| {});
        let rests = decide(&asker.without_grants()) != decision;
        let mut all: Vec<(GivenGrant, RoleSet)> = Vec::new();
        let mut unknown = String::new();
        self.each_of(asker.principal, |held| {
            let mut roles = RoleSet::default();
            for role in held.roles() {
                roles.union(&policy.roles.closure(role));
            }
            if let Some(names) = policy.roles.unknown_among(held.roles()) {
                unknown += &format!("; unknown roles {names} of {}", held.grant);
            }
            all.push((held.grant.clone(), roles));
        });
        if !rests {
            return unknown;
        }
        // One that suffices alone is the whole reason.
        let suffices = |(_, roles): &&(GivenGrant, RoleSet)| {
            let mut asker = asker.without_grants();
            asker.roles.union(roles);
            decide(&asker) == decision
        };
        let one = all.iter().find(suffices);
        let named = one.map_or(&*all, std::slice::from_ref);
        let mut text = String::new();
        for (grant, _) in named.iter().take(MOST_NAMED) {
            text += &format!("; by {grant}");
        }
        if named.len() > MOST_NAMED {
            text += &format!("; by {} grants more", named.len() - MOST_NAMED);
        }
        text + &unknown
    }
}
