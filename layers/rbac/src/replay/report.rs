use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::Untold;
use crate::Decision;

/// What [`Policy::replay`](crate::Policy::replay) found.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Replay {
    /// The version of the policy that was asked.
    pub policy: String,
    /// By which versions of policies the log's decisions were made, and how many; 64 at most.
    pub versions: BTreeMap<String, u64>,
    /// Records that were read.
    pub records: u64,
    /// Records without a decision.
    pub undecided: u64,
    /// Decisions that would be the same.
    pub same: u64,
    /// Refusals that would be admissions.
    pub gained: u64,
    /// Admissions that would be refusals.
    pub lost: u64,
    /// Refusals that would be refusals of another sort.
    pub changed: u64,
    /// Differences that [`differences`](Self::differences) does not list, since it lists 4096.
    pub unlisted: u64,
    /// How many records do not tell, and one of each, by why.
    #[serde(serialize_with = "untold")]
    pub untold: BTreeMap<Untold, (u64, String)>,
    /// Lines that are no records.
    pub bad: u64,
    /// The first of them.
    pub bad_lines: Vec<BadLine>,
    /// What would differ, the most frequent first.
    pub differences: Vec<Difference>,
}

/// Decisions that would differ in the same way.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// `request`, `notification`, `response`, `stream` or `end_session`.
    pub kind: &'static str,
    /// The method; empty of what has none.
    pub method: String,
    /// The tool, prompt, resource or task; `None` if it acts on nothing named.
    pub name: Option<String>,
    /// `user`, `service` or `anonymous`; `nobody` where no authentication layer said.
    pub who: &'static str,
    /// The roles of the credential, without those that the record cut.
    pub roles: Vec<String>,
    /// Its scopes, likewise.
    pub scopes: Vec<String>,
    /// What the log says.
    #[serde(serialize_with = "decision")]
    pub before: Decision,
    /// What the policy says.
    #[serde(serialize_with = "decision")]
    pub after: Decision,
    /// How many.
    pub count: u64,
    /// The policy's rules: of a refusal those that are not satisfied, else all that cover it.
    pub rules: Vec<String>,
    /// The correlation id of the first one in the log.
    pub first: String,
    /// And of the last one.
    pub last: String,
}

/// A line of a log that is no record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BadLine {
    /// Its number, from 1.
    pub line: u64,
    /// Why.
    pub problem: String,
}

impl Replay {
    /// Who would be admitted and was refused.
    pub fn gains(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|one| one.is_gain())
    }

    /// Who would be refused and was admitted.
    pub fn losses(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|one| one.is_loss())
    }

    /// Who would be refused otherwise than before.
    pub fn changes(&self) -> impl Iterator<Item = &Difference> {
        let neither = |one: &&Difference| !one.is_gain() && !one.is_loss();
        self.differences.iter().filter(neither)
    }

    /// Whether somebody would gain, as far as the log tells.
    pub fn has_gains(&self) -> bool {
        self.gained > 0
    }

    /// Whether every decision of the log was told, and there is one.
    pub fn is_complete(&self) -> bool {
        let told = self.same + self.gained + self.lost + self.changed;
        told > 0 && self.untold.is_empty() && self.bad == 0
    }
}

impl Difference {
    /// Whether it was refused and would be admitted.
    pub fn is_gain(&self) -> bool {
        !self.before.is_admitted() && self.after.is_admitted()
    }

    /// Whether it was admitted and would be refused.
    pub fn is_loss(&self) -> bool {
        self.before.is_admitted() && !self.after.is_admitted()
    }
}

fn decision<S: Serializer>(decision: &Decision, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(decision.name())
}

fn untold<S: Serializer>(
    untold: &BTreeMap<Untold, (u64, String)>,
    to: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Some<'a> {
        count: u64,
        first: &'a str,
    }
    to.collect_map(untold.iter().map(|(why, (count, first))| {
        let count = *count;
        (why.name(), Some { count, first })
    }))
}
