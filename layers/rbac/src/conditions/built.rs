use bartizan_core::Principal;

use super::{
    Condition, Kind,
    leaf::Leaf,
    need::{Names, Need},
    read::{Marks, members},
    segment::placeholders,
};
use crate::{
    Operation, RbacConfigError, Rule, asker::Asker, lists::json::Broken, operation::Arguments,
    rule::Target,
};

/// The conditions of a rule, all of which must hold: those that it says, and placeholders in its URI.
#[derive(Debug)]
pub(crate) struct Conditions {
    all: Box<[Built]>,
    /// What they ask of arguments, so that these are read once.
    leaves: Box<[Leaf]>,
}

/// One condition, and how a record calls it.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) shown: Box<str>,
    needs: Need,
    /// Whether it may be another answer for somebody who identifies.
    pub(crate) is_of_somebody: bool,
}

/// A bit for each.
const MOST_LEAVES: usize = 64;

impl Conditions {
    /// # Errors
    ///
    /// If one can hold never, or always, or not in this rule, or names what the policy does not know.
    pub(crate) fn new(rule: &Rule, names: Names<'_>) -> Result<Self, RbacConfigError> {
        let mut leaves = Vec::new();
        let mut all = Vec::new();
        for (place, condition) in rule.requires.iter().enumerate() {
            let shown = condition.to_string();
            if rule
                .requires
                .iter()
                .take(place)
                .any(|earlier| earlier == condition)
            {
                return Err(RbacConfigError::new(
                    "condition",
                    &shown,
                    "is required twice",
                ));
            }
            let needs = Need::new(condition, names, &mut leaves)?;
            all.push(Built {
                is_of_somebody: needs.is_of_somebody(&leaves),
                shown: shown.into(),
                needs,
            });
        }
        if let Target::Resource(pattern) = &rule.target {
            let (_, segments) = placeholders(pattern)
                .map_err(|problem| RbacConfigError::new("pattern", pattern, problem))?;
            all.extend(segments.into_iter().map(|segment| Built {
                shown: format!("`{}` is the {}", segment.name(), segment.is.name()).into(),
                needs: Need::Segment(segment),
                is_of_somebody: true,
            }));
        }
        if let Some(Condition(Kind::Argument(argument, _))) = first_argument(&rule.requires) {
            let name = argument.path.first().map_or("", |name| name);
            let error = |problem| Err(RbacConfigError::new("argument", name, problem));
            if !has_arguments(&rule.target) {
                return error(
                    "is needed where there are none: only tools and prompts have arguments",
                );
            }
            if leaves.len() > MOST_LEAVES {
                return error("is in a rule with more than 64 conditions on arguments");
            }
        }
        Ok(Self {
            all: all.into(),
            leaves: leaves.into(),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether nobody in particular could ever satisfy them.
    pub(crate) fn need_somebody(&self) -> bool {
        self.all
            .iter()
            .any(|one| one.needs.needs_somebody(&self.leaves))
    }

    /// Those that do not hold.
    pub(crate) fn unmet(
        &self,
        asker: &Asker<'_>,
        operation: &Operation<'_>,
    ) -> impl Iterator<Item = &Built> {
        let held = self.held(asker.principal, operation);
        self.all
            .iter()
            .filter(move |one| !one.needs.is_met(held, asker, operation))
    }

    /// The leaves that hold.
    fn held(&self, principal: &Principal, operation: &Operation<'_>) -> u64 {
        if self.leaves.is_empty() {
            return 0;
        }
        match operation.given() {
            // Nobody knows what a completion's prompt will be given.
            None => 0,
            Some(_) if operation.are_arguments_unknown() => 0,
            Some(Arguments::Absent) => self.bits(|leaf| leaf.or_absent),
            Some(Arguments::Any) => self.bits(|leaf| leaf.may_hold(principal)),
            Some(Arguments::Json(text)) => self.read(text, principal).unwrap_or_default(),
        }
    }

    fn read(&self, text: &str, principal: &Principal) -> Result<u64, Broken> {
        let mark = |key: &str| {
            let marks = self.leaves().map(|(bit, leaf)| leaf.name.marks(key, bit));
            marks.fold(Marks::default(), |all, one| Marks {
                same: all.same | one.same,
                alike: all.alike | one.alike,
            })
        };
        let mut held = 0;
        let found = members(text, mark, |same, value| {
            if same != 0 {
                let asked = self.leaves().filter(|(bit, _)| same & bit != 0);
                let holds = asked.filter(|(_, leaf)| leaf.holds(value, principal));
                held |= holds.fold(0, |bits, (bit, _)| bits | bit);
            }
        })?;
        held |= self.bits(|leaf| leaf.or_absent) & !found.seen;
        Ok(held & !found.doubtful)
    }

    fn bits(&self, is_set: impl Fn(&Leaf) -> bool) -> u64 {
        let set = self.leaves().filter(|(_, leaf)| is_set(leaf));
        set.fold(0, |bits, (bit, _)| bits | bit)
    }

    fn leaves(&self) -> impl Iterator<Item = (u64, &Leaf)> {
        self.leaves
            .iter()
            .enumerate()
            .map(|(place, leaf)| (1 << place, leaf))
    }
}

fn first_argument(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find_map(|condition| match &condition.0 {
        Kind::Argument(..) => Some(condition),
        Kind::AnyOf(any) => first_argument(any),
        _ => None,
    })
}

/// Methods with stars cover some that have none.
fn has_arguments(target: &Target) -> bool {
    match target {
        Target::Tool(_) | Target::Prompt(_) | Target::Annotated(_) => true,
        Target::Method(method) => Operation::method(method).given().is_some(),
        _ => false,
    }
}
