use std::{borrow::Cow, collections::HashMap};

use bartizan_core::CallKind;

use super::{
    record::{Decided, WhoKind},
    report::{BadLine, Difference, Replay},
    told::{Untold, decide},
};
use crate::{Decision, Operation, Policy, asker::Asker};

/// Bad lines that are named.
const MOST_BAD: usize = 20;
/// Differences that are told apart.
const MOST_DIFFERENCES: usize = 4096;
/// Versions that are told apart.
const MOST_VERSIONS: usize = 64;

/// What was found so far.
#[derive(Default)]
pub(super) struct Tally {
    replay: Replay,
    differences: HashMap<Key, Difference>,
}

/// What differences have in common that are counted as one.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    kind: CallKindName,
    method: String,
    name: Option<String>,
    /// Whom it is about: how records call that, and what they may do.
    who: (&'static str, Vec<String>, Vec<String>),
    before: &'static str,
    after: &'static str,
}

type CallKindName = &'static str;

impl Tally {
    pub(super) fn undecided(&mut self) {
        self.replay.records += 1;
        self.replay.undecided += 1;
    }

    pub(super) fn bad(&mut self, line: u64, problem: &str) {
        self.replay.bad += 1;
        if self.replay.bad_lines.len() < MOST_BAD {
            self.replay.bad_lines.push(BadLine {
                line,
                problem: problem.to_owned(),
            });
        }
    }

    pub(super) fn untold(&mut self, version: &str, id: &str, why: Untold) {
        self.replay.records += 1;
        self.judged_by(version);
        let of_reason = self
            .replay
            .untold
            .entry(why)
            .or_insert_with(|| (0, id.to_owned()));
        of_reason.0 += 1;
    }

    fn judged_by(&mut self, version: &str) {
        let versions = &mut self.replay.versions;
        if let Some(count) = versions.get_mut(version) {
            *count += 1;
        } else if versions.len() < MOST_VERSIONS {
            versions.insert(version.to_owned(), 1);
        }
    }

    pub(super) fn decided(&mut self, policy: &Policy, decided: Decided) {
        let subject = decided.subject.as_ref();
        let subject = subject.map(|(subject, name)| (*subject, &**name));
        let operation = Operation::recorded(decided.kind, &decided.method, subject);
        let after = match decide(policy, &decided, &operation) {
            Ok(after) => after,
            Err(why) => return self.untold(&decided.policy, &decided.id, why),
        };
        self.replay.records += 1;
        self.judged_by(&decided.policy);
        if after == decided.before {
            self.replay.same += 1;
            return;
        }
        match (decided.before.is_admitted(), after.is_admitted()) {
            (false, true) => self.replay.gained += 1,
            (true, false) => self.replay.lost += 1,
            _ => self.replay.changed += 1,
        }
        let key = Key::of(&decided, after);
        if let Some(difference) = self.differences.get_mut(&key) {
            difference.count += 1;
            difference.last.clone_from(&decided.id);
        } else if self.differences.len() < MOST_DIFFERENCES {
            let principal = decided.who.principal(&[], &[], decided.is_limited);
            let rules = principal.iter().flat_map(|principal| {
                policy.deciding(&Asker::new(principal, &policy.roles), &operation, false)
            });
            let rules = rules.map(Cow::into_owned).collect();
            let difference = Difference::new(&decided, after, rules);
            self.differences.insert(key, difference);
        } else {
            self.replay.unlisted += 1;
        }
    }

    /// All that was found, the most frequent first.
    pub(super) fn replay(self, version: &str) -> Replay {
        let mut replay = self.replay;
        version.clone_into(&mut replay.policy);
        replay.differences = self.differences.into_values().collect();
        let order = |one: &Difference| {
            let of_id = (one.first.clone(), one.last.clone());
            (
                std::cmp::Reverse(one.count),
                one.method.clone(),
                one.name.clone(),
                of_id,
            )
        };
        replay.differences.sort_by_cached_key(order);
        replay
    }
}

impl Key {
    fn of(decided: &Decided, after: Decision) -> Self {
        let who = &decided.who;
        Self {
            kind: kind_name(decided.kind),
            method: decided.method.clone(),
            name: decided.subject.as_ref().map(|(_, name)| name.clone()),
            who: (
                who_name(who.kind),
                who.roles.names.clone(),
                who.scopes.names.clone(),
            ),
            before: decided.before.name(),
            after: after.name(),
        }
    }
}

impl Difference {
    fn new(decided: &Decided, after: Decision, rules: Vec<String>) -> Self {
        let Key {
            kind,
            method,
            name,
            who: (who, roles, scopes),
            ..
        } = Key::of(decided, after);
        Self {
            kind,
            method,
            name,
            who,
            roles,
            scopes,
            before: decided.before,
            after,
            count: 1,
            rules,
            first: decided.id.clone(),
            last: decided.id.clone(),
        }
    }
}

fn kind_name(kind: CallKind) -> CallKindName {
    match kind {
        CallKind::Request => "request",
        CallKind::Notification => "notification",
        CallKind::Response => "response",
        CallKind::Stream => "stream",
        CallKind::EndSession => "end_session",
        _ => "other",
    }
}

fn who_name(kind: Option<WhoKind>) -> &'static str {
    match kind {
        None => "nobody",
        Some(WhoKind::Anonymous) => "anonymous",
        Some(WhoKind::User) => "user",
        Some(WhoKind::Service) => "service",
    }
}
