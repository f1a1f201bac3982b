use std::{ops::Range, sync::Arc};

use bartizan_core::{Call, CallKind, Finding, Principal, SecurityContext, Verdict, call::Tokens};

use super::{
    ListRules,
    json::{Broken, NOT_JSON, Seen, array, object, string},
    list::{List, RESULT},
};
use crate::{Decision, handle::InForce, policy::Many};

/// What one principal sees of a list.
#[derive(Debug)]
pub(crate) struct Lens {
    rules: Arc<ListRules>,
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
    pub(super) fn of(rules: &Arc<ListRules>, context: &SecurityContext) -> Option<Self> {
        let call: &Call = context.call()?;
        let asked = match call.kind() {
            CallKind::Request => List::asked_by(call).map_or(Asked::Other, Asked::List),
            CallKind::Stream => Asked::Nothing,
            _ => return None,
        };
        Some(Self {
            rules: Arc::clone(rules),
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

    /// Whether the answer is a list's, and not one that may bring any.
    pub(super) fn is_of_list(&self) -> bool {
        matches!(self.asked, Asked::List(_))
    }

    /// Whether the answer is another request's; most of these bring no list.
    pub(super) fn is_of_other(&self) -> bool {
        self.asked == Asked::Other
    }

    /// Whether it is a request's answer, so that an error can be.
    pub(super) fn is_answer(&self) -> bool {
        self.asked != Asked::Nothing
    }

    /// What the principal sees of a JSON-RPC message; `None` if all of it.
    ///
    /// What stays does so byte for byte.
    pub(super) fn see(&self, message: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        // The parser does not look into the strings that it skips.
        let text = std::str::from_utf8(message).map_err(|_| Broken("is not UTF-8"))?;
        let principal = self.context.principal().ok_or(Broken("is nobody's"))?;
        let mut view = View {
            lens: self,
            text,
            principal,
            edits: Vec::new(),
            seen: Seen::default(),
            tally: [None; 4],
            failures: 0,
        };
        view.message()?;
        view.record();
        Ok(apply(text.as_bytes(), &view.edits))
    }
}

/// One message under the lens.
struct View<'a> {
    lens: &'a Lens,
    text: &'a str,
    principal: &'a Principal,
    /// What is put into the places of which bytes, in their order.
    edits: Vec<(Range<usize>, &'static str)>,
    seen: Seen,
    /// Of each list, how many elements of how many are shown.
    tally: [Option<(usize, usize)>; 4],
    /// How often an engine failed.
    failures: usize,
}

/// What is put into the place of a cache's scope (N-14).
const PRIVATE: &str = r#""private""#;

impl View<'_> {
    fn message(&mut self) -> Result<(), Broken> {
        let mut json = Tokens::of(self.text);
        let mut has = [false; 3];
        let known = ["result", "error", "method", "id", "jsonrpc"];
        object(&mut json, &mut Seen::default(), &known, |json, place| {
            if let Some(has) = place.and_then(|place| has.get_mut(place)) {
                *has = true;
            }
            match place {
                Some(0) => self.result(json),
                _ => Ok(json.skip()?),
            }
        })?;
        if json.peek().is_some() {
            return Err(NOT_JSON);
        }
        match has {
            [true, false, false] | [false, true, false] | [false, false, true] => Ok(()),
            _ => Err(Broken("is not one JSON-RPC message")),
        }
    }

    fn result(&mut self, json: &mut Tokens<'_>) -> Result<(), Broken> {
        if json.peek() != Some(b'{') && !self.lens.is_of_list() {
            return Ok(json.skip()?);
        }
        let inside = json.position() + 1;
        let mut scope = None;
        object(
            json,
            &mut Seen::default(),
            &RESULT,
            |json, place| match place.map(|place| List::ALL.get(place)) {
                Some(Some(list)) => self.list(json, *list),
                Some(None) => {
                    json.peek();
                    let start = json.position();
                    json.skip()?;
                    scope = Some(start..json.position());
                    Ok(())
                }
                None => Ok(json.skip()?),
            },
        )?;
        if let Asked::List(list) = self.lens.asked
            && self.tally_of(list).is_none()
        {
            return Err(Broken("has no list"));
        }
        if self.tally.iter().any(Option::is_some) {
            self.keep_private(scope, inside);
        }
        Ok(())
    }

    /// Whoever may read a public list may be shown this principal's (N-14).
    fn keep_private(&mut self, scope: Option<Range<usize>>, inside: usize) {
        match scope {
            Some(scope) if self.text.get(scope.clone()) != Some(PRIVATE) => {
                let before = |(range, _): &(Range<usize>, _)| range.start < scope.start;
                let place = self.edits.partition_point(before);
                self.edits.insert(place, (scope, PRIVATE));
            }
            None if self.lens.is_modern => {
                // The list is a member, so that a comma may follow.
                let first = (inside..inside, r#""cacheScope":"private","#);
                self.edits.insert(0, first);
            }
            _ => {}
        }
    }

    fn list(&mut self, json: &mut Tokens<'_>, list: List) -> Result<(), Broken> {
        if self.lens.is_of_other() && json.peek() != Some(b'[') {
            return Ok(json.skip()?);
        }
        let in_force = InForce::stamped_on(&self.lens.context);
        let in_force = in_force.ok_or(Broken("was judged by no policy"))?;
        // Looked up anew, since a grant may have ended while the stream was open.
        let asker = in_force.asker(self.principal);
        let many = in_force.policy.many(asker, &list.operation(""));
        // From where on nothing is kept yet; the end of the last one that is.
        let mut gap = None;
        let (mut shown, mut all, mut is_cut) = (0, 0, false);
        array(json, |json| {
            let start = json.position();
            let from = *gap.get_or_insert(start);
            all += 1;
            if !self.shows(json, list, &many)? {
                is_cut = true;
                return Ok(());
            }
            if is_cut {
                let comma = if shown > 0 { "," } else { "" };
                self.edits.push((from..start, comma));
            }
            shown += 1;
            is_cut = false;
            gap = Some(json.position());
            Ok(())
        })?;
        if let Some(from) = gap.filter(|_| is_cut) {
            let end = json.position().saturating_sub(1);
            self.edits.push((from..end, ""));
        }
        self.failures += many.failures();
        if let Some(tally) = self.tally.get_mut(list as usize) {
            *tally = Some((shown, all));
        }
        Ok(())
    }

    /// Whether the element that comes next is shown. In the answer to another request, one without a
    /// name is no list's, and is.
    fn shows(
        &mut self,
        json: &mut Tokens<'_>,
        list: List,
        many: &Many<'_>,
    ) -> Result<bool, Broken> {
        let rules = &self.lens.rules;
        let is_of_other = self.lens.is_of_other();
        if is_of_other && json.peek() != Some(b'{') {
            json.skip()?;
            return Ok(true);
        }
        let mut shows = is_of_other.then_some(true);
        object(json, &mut self.seen, &[list.key()], |json, place| {
            if place.is_none() || (is_of_other && json.peek() != Some(b'"')) {
                return Ok(json.skip()?);
            }
            let decision = string(json, |name| many.decide(&list.operation(name)))?;
            shows = Some(rules.shows(decision));
            Ok(())
        })?;
        shows.ok_or(Broken("has an element without a name"))
    }

    fn tally_of(&self, list: List) -> Option<(usize, usize)> {
        self.tally.get(list as usize).copied().flatten()
    }

    /// Unless the request's record is written already, as when the answer is a stream.
    fn record(&self) {
        let context = self.lens.context();
        if context.trail().is_none_or(|trail| trail.is_closed()) {
            return;
        }
        if self.failures > 0 {
            let reason = format!("the engine failed for {} elements", self.failures);
            context.record(|| Finding::new("rbac", Verdict::Noted, "engine_failed", reason));
        }
        for list in List::ALL {
            if let Some((shown, all)) = self.tally_of(list) {
                let reason = format!("{shown} of {all} {}", list.member());
                context.record(|| Finding::new("rbac", Verdict::Noted, "list_filtered", reason));
            }
        }
    }
}

impl ListRules {
    fn shows(&self, decision: Decision) -> bool {
        match decision {
            // Approval can be had.
            Decision::Admitted | Decision::ApprovalNeeded => true,
            Decision::ScopeInsufficient => !self.hide_without_scopes,
            _ => false,
        }
    }
}

fn apply(text: &[u8], edits: &[(Range<usize>, &'static str)]) -> Option<Vec<u8>> {
    if edits.is_empty() {
        return None;
    }
    let cut: usize = edits.iter().map(|(range, _)| range.len()).sum();
    let put: usize = edits.iter().map(|(_, with)| with.len()).sum();
    let mut out = Vec::with_capacity((text.len() + put).saturating_sub(cut));
    let mut from = 0;
    for (range, with) in edits {
        out.extend_from_slice(text.get(from..range.start).unwrap_or_default());
        out.extend_from_slice(with.as_bytes());
        from = range.end;
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
    Some(out)
}
