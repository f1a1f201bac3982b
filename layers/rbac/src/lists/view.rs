use std::{borrow::Cow, ops::Range};

use bartizan_core::{Principal, call::Tokens};

use super::{
    json::{Broken, NOT_JSON, Seen, array, object, string},
    lens::Lens,
    list::{List, PAGE, RESULT},
};
use crate::{honey::Decoys, policy::Many};

/// One message under the lens.
pub(super) struct View<'a> {
    lens: &'a Lens,
    text: &'a str,
    principal: &'a Principal,
    /// What is put into the places of which bytes, in their order.
    edits: Vec<(Range<usize>, Cow<'static, str>)>,
    seen: Seen,
    /// Of each list, how many elements of how many are shown.
    tally: [Option<(usize, usize)>; List::ALL.len()],
    /// How often an engine failed.
    failures: usize,
    /// A list of tools that decoys may be put into.
    honeyed: Option<Honeyed<'a>>,
    /// How many decoys were put in.
    decoys: usize,
}

struct Honeyed<'a> {
    decoys: Decoys<'a>,
    /// Where the list stands.
    list: Range<usize>,
    /// The edits that take out what of it is not shown.
    edits: Range<usize>,
}

/// What is put into the place of a cache's scope (N-14).
const PRIVATE: &str = r#""private""#;

impl<'a> View<'a> {
    pub(super) fn new(lens: &'a Lens, text: &'a str, principal: &'a Principal) -> Self {
        Self {
            lens,
            text,
            principal,
            edits: Vec::new(),
            seen: Seen::default(),
            tally: [None; List::ALL.len()],
            failures: 0,
            honeyed: None,
            decoys: 0,
        }
    }

    pub(super) fn message(&mut self) -> Result<(), Broken> {
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
        if json.peek() != Some(b'{') && self.lens.list().is_none() {
            return Ok(json.skip()?);
        }
        let inside = json.position() + 1;
        let (mut scope, mut is_last) = (None, true);
        let in_force = self.lens.in_force().ok();
        let has_honey = in_force.is_some_and(|in_force| !in_force.policy.honey.is_empty());
        let known: &[_] = if has_honey { &PAGE } else { RESULT };
        object(json, &mut Seen::default(), known, |json, place| {
            let Some(place) = place else {
                return Ok(json.skip()?);
            };
            if let Some(list) = List::ALL.get(place) {
                return self.list(json, *list);
            }
            let is_null = json.peek() == Some(b'n');
            let start = json.position();
            json.skip()?;
            match RESULT.get(place) {
                Some(_) => scope = Some(start..json.position()),
                None => is_last = is_null,
            }
            Ok(())
        })?;
        if let Some(honeyed) = self.honeyed.take().filter(|_| is_last) {
            self.put_in(honeyed);
        }
        let asked = self.lens.list();
        if asked.is_some_and(|asked| self.tally().all(|(list, ..)| list != asked)) {
            return Err(Broken("has no list"));
        }
        if self.tally.iter().any(Option::is_some) {
            self.keep_private(scope, inside);
        }
        Ok(())
    }

    /// Puts decoys into a list of tools, of which this is the last page.
    fn put_in(&mut self, honeyed: Honeyed<'_>) {
        let Honeyed {
            decoys,
            list,
            edits,
        } = honeyed;
        let is_answer = !self.lens.is_of_other();
        if let Some(text) = decoys.list(self.text, list.clone(), is_answer) {
            self.edits.splice(edits, [(list, Cow::Owned(text))]);
            self.decoys = decoys.len();
        }
    }

    /// Whoever may read a public list may be shown this principal's (N-14).
    fn keep_private(&mut self, scope: Option<Range<usize>>, inside: usize) {
        match scope {
            Some(scope) if self.text.get(scope.clone()) != Some(PRIVATE) => {
                let before = |(range, _): &(Range<usize>, _)| range.start < scope.start;
                let place = self.edits.partition_point(before);
                self.edits.insert(place, (scope, PRIVATE.into()));
            }
            None if self.lens.is_modern() => {
                // The list is a member, so that a comma may follow.
                let first = (inside..inside, r#""cacheScope":"private","#.into());
                self.edits.insert(0, first);
            }
            _ => {}
        }
    }

    fn list(&mut self, json: &mut Tokens<'_>, list: List) -> Result<(), Broken> {
        if self.lens.is_of_other() && json.peek() != Some(b'[') {
            return Ok(json.skip()?);
        }
        let lens = self.lens;
        let in_force = lens.in_force()?;
        // Looked up anew, since a grant may have ended while the stream was open.
        let asker = in_force.asker(self.principal);
        let honey = Some(&in_force.policy.honey).filter(|honey| !honey.is_empty());
        let honey = honey.filter(|_| list == List::Tools);
        let mut decoys = honey.map(|honey| Decoys::new(honey, &asker));
        let edits_before = self.edits.len();
        json.peek();
        let list_start = json.position();
        let many = in_force.policy.many(asker, &list.operation(""));
        // From where on nothing is kept yet; the end of the last one that is.
        let mut gap = None;
        let (mut shown, mut all, mut is_cut) = (0, 0, false);
        array(json, |json| {
            let start = json.position();
            let from = *gap.get_or_insert(start);
            all += 1;
            let shows = self.shows(json, list, &many, decoys.as_mut())?;
            if let Some(decoys) = &mut decoys {
                decoys.pass(start..json.position(), shows);
            }
            if !shows {
                is_cut = true;
                return Ok(());
            }
            if is_cut {
                let comma = if shown > 0 { "," } else { "" };
                self.edits.push((from..start, comma.into()));
            }
            shown += 1;
            is_cut = false;
            gap = Some(json.position());
            Ok(())
        })?;
        if let Some(from) = gap.filter(|_| is_cut) {
            let end = json.position().saturating_sub(1);
            self.edits.push((from..end, "".into()));
        }
        if let Some(decoys) = decoys {
            self.honeyed = Some(Honeyed {
                decoys,
                list: list_start..json.position(),
                edits: edits_before..self.edits.len(),
            });
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
        mut decoys: Option<&mut Decoys<'_>>,
    ) -> Result<bool, Broken> {
        let rules = self.lens.rules();
        let is_of_other = self.lens.is_of_other();
        if is_of_other && json.peek() != Some(b'{') {
            json.skip()?;
            decoys.map(Decoys::meet_nameless);
            return Ok(true);
        }
        let mut shows = None;
        object(json, &mut self.seen, &[list.key()], |json, place| {
            if place.is_none() || (is_of_other && json.peek() != Some(b'"')) {
                return Ok(json.skip()?);
            }
            shows = Some(string(json, |name| {
                let decoy = decoys.as_mut().and_then(|decoys| decoys.meet(name));
                decoy.unwrap_or_else(|| rules.shows(many.decide(&list.operation(name))))
            })?);
            Ok(())
        })?;
        match (shows, decoys) {
            (Some(shows), _) => Ok(shows),
            (None, _) if !is_of_other => Err(Broken("has an element without a name")),
            (None, decoys) => {
                decoys.map(Decoys::meet_nameless);
                Ok(true)
            }
        }
    }

    /// Of each list that there is, how many elements of how many are shown.
    pub(super) fn tally(&self) -> impl Iterator<Item = (List, usize, usize)> {
        let tally = List::ALL.iter().zip(self.tally);
        tally.filter_map(|(list, tally)| tally.map(|(shown, all)| (*list, shown, all)))
    }

    /// How many decoys the principal is shown besides.
    pub(super) fn decoys(&self) -> usize {
        self.decoys
    }

    pub(super) fn failures(&self) -> usize {
        self.failures
    }

    /// What is to stand in the message's place; `None` if all of it stays.
    pub(super) fn instead(&self) -> Option<Vec<u8>> {
        apply(self.text.as_bytes(), &self.edits)
    }
}

fn apply(text: &[u8], edits: &[(Range<usize>, Cow<'static, str>)]) -> Option<Vec<u8>> {
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
