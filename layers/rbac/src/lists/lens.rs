use bartizan_core::{Call, CallKind, Finding, SecurityContext, Verdict};

use super::{ListRules, json::Broken, list::List, view::View};
use crate::{Decision, in_force::InForce};

/// What one principal sees of a list.
#[derive(Debug)]
pub(crate) struct Lens {
    rules: ListRules,
    context: SecurityContext,
    asked: Asked,
    is_modern: bool,
}

/// What an answer is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// A request for a list.
    List(List),
    /// Another request. A server that finds an answer's stream by the request's id, which callers
    /// choose, may bring a list on it.
    Other,
    /// None: a stream of the server's own, which may bring the answer to any earlier request again.
    Nothing,
}

impl Lens {
    /// For the answer to a call; `None` if that can have no list.
    pub(super) fn of(rules: ListRules, context: &SecurityContext) -> Option<Self> {
        let call: &Call = context.call()?;
        let asked = match call.kind() {
            CallKind::Request => List::asked_by(call).map_or(Asked::Other, Asked::List),
            CallKind::Stream => Asked::Nothing,
            _ => return None,
        };
        Some(Self {
            rules,
            context: context.clone(),
            asked,
            is_modern: call.revision().is_some_and(|revision| revision.is_modern()),
        })
    }

    pub(super) fn rules(&self) -> &ListRules {
        &self.rules
    }

    pub(super) fn context(&self) -> &SecurityContext {
        &self.context
    }

    /// Whether the answer is another request's; most of these bring no list.
    pub(super) fn is_of_other(&self) -> bool {
        self.asked == Asked::Other
    }

    /// Whether it is a request's answer, so that an error can be.
    pub(super) fn is_answer(&self) -> bool {
        self.asked != Asked::Nothing
    }

    /// The list that the answer is to have; none if it may bring any.
    pub(super) fn list(&self) -> Option<List> {
        match self.asked {
            Asked::List(list) => Some(list),
            Asked::Other | Asked::Nothing => None,
        }
    }

    /// Whether the answer is of a revision whose results tell caches what they are.
    pub(super) fn is_modern(&self) -> bool {
        self.is_modern
    }

    pub(super) fn in_force(&self) -> Result<&InForce, Broken> {
        InForce::stamped_on(&self.context).ok_or(Broken("was judged by no policy"))
    }

    /// What the principal sees of a JSON-RPC message.
    ///
    /// What stays does so byte for byte.
    pub(super) fn see(&self, message: &[u8]) -> Result<Sight, Broken> {
        // The parser does not look into the strings that it skips.
        let text = std::str::from_utf8(message).map_err(|_| Broken("is not UTF-8"))?;
        let principal = self.context.principal().ok_or(Broken("is nobody's"))?;
        let mut view = View::new(self, text, principal);
        view.message()?;
        self.record(&view);
        Ok(Sight {
            has_list: view.tally().next().is_some(),
            instead: view.instead(),
        })
    }

    /// Unless the request's record is written already, as when the answer is a stream.
    fn record(&self, view: &View<'_>) {
        let trail = self.context.trail();
        if trail.is_none_or(|trail| trail.is_closed()) {
            return;
        }
        if view.failures() > 0 {
            let reason = format!("the engine failed for {} elements", view.failures());
            let finding = || Finding::new("rbac", Verdict::Noted, "engine_failed", reason);
            self.context.record(finding);
        }
        for (list, shown, all) in view.tally() {
            let mut reason = format!("{shown} of {all} {}", list.member());
            if list == List::Tools && view.decoys() > 0 {
                reason.push_str(&format!(", and {} honey tools", view.decoys()));
            }
            let finding = || Finding::new("rbac", Verdict::Noted, "list_filtered", reason);
            self.context.record(finding);
        }
    }
}

/// What the principal sees of a message.
#[derive(Debug)]
pub(super) struct Sight {
    /// Whether it has a list.
    pub(super) has_list: bool,
    /// What is to stand in the message's place; `None` if all of it is seen.
    pub(super) instead: Option<Vec<u8>>,
}

impl ListRules {
    pub(super) fn shows(&self, decision: Decision) -> bool {
        match decision {
            // Approval can be had.
            Decision::Admitted | Decision::ApprovalNeeded => true,
            Decision::ScopeInsufficient => !self.hide_without_scopes,
            _ => false,
        }
    }
}
