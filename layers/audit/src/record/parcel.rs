use std::{array, borrow::Cow, mem, net::IpAddr, slice, sync::Arc, time::Duration};

use bartizan_core::{DenialKind, Finding, TraceParent, call::Revision};
use bartizan_sensitive::Redactor;
use http::StatusCode;

use super::{
    Classes, Decision, EventId, Identities, Identity, Json, Metadata, Names, Outcome, Record,
    Screened, Severity, Text, Unredacted,
    carried::{CarriedFindings, PackedFinding, Reason},
    findings::{Budget, Findings},
    names::{MOST_ACTORS, MOST_ROLES, MOST_RULES, MOST_SCOPES},
    screened::{AHEAD, LONGEST_REASON, beginning},
};
use crate::{Answer, durable::Confirm, gaps::Missing};

/// Records without what they borrow, on their way to the thread that makes lines of them.
///
/// Only what a record may show is copied, so that its bound holds here too. Texts stand one after
/// the other, as they were sent; what is static is not copied.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    records: Vec<Packed>,
    /// What few records have.
    rare: Vec<Rare>,
    /// For how many records it keeps memory when it is emptied.
    kept: usize,
    findings: Vec<PackedFinding>,
    pieces: Vec<Piece>,
    text: String,
    /// What those are redacted by that are not yet: few, for a layer has one.
    redactors: Vec<Arc<Redactor>>,
    /// Who waits until a record is durable, by its place. Dropped, they learn that it is not.
    confirms: Vec<(usize, Confirm)>,
}

/// A text that stands behind the one before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) len: u16,
    limit: u16,
    is_cut: bool,
}

/// What a record holds beside its texts. Each byte is written to memory that no cache holds, which takes longer than to
/// make it.
#[derive(Debug, Clone, Copy)]
struct Packed {
    /// Which redactor is to look through it, if one is.
    redactor: Option<usize>,
    event_id: EventId,
    timestamp: Duration,
    latency: Option<Duration>,
    duration: Option<Duration>,
    request_bytes: Option<u64>,
    response_bytes: Option<u64>,
    answer: Option<Answer>,
    severity: Severity,
    classes: Classes,
    result_type: Option<&'static str>,
    refused_credential: Option<Identity>,
    actors: Listed,
    event_type: &'static str,
    result: &'static str,
    principal_kind: Option<&'static str>,
    call_kind: Option<&'static str>,
    is_rare: bool,
    /// Which of the texts there are, from the lowest bit on.
    texts: u32,
    findings: usize,
    /// They are those of the record before, which stand there once.
    has_same_findings: bool,
    /// Bytes of the reasons that are carried.
    reasons: usize,
    findings_dropped: usize,
    ip_address: Option<IpAddr>,
    status: Option<StatusCode>,
    outcome: Option<Outcome>,
    denial: Option<DenialKind>,
    protocol_version: Option<Revision>,
    roles: Listed,
    scopes: Listed,
    decision: Option<PackedDecision>,
}

#[derive(Debug, Clone, Copy)]
struct Rare {
    trace: Option<TraceParent>,
    intent: Option<EventId>,
    identities: Option<Identities>,
    layer: Option<&'static str>,
    missing: Option<Missing>,
}

/// How many names stand in a list, and whether there are more; `None` if it is nobody's.
type Listed = Option<(u8, bool)>;

#[derive(Debug, Clone, Copy)]
struct PackedDecision {
    outcome: &'static str,
    baseline: Option<&'static str>,
    rules: Listed,
    operations: u32,
    is_unclear: bool,
    is_granted: bool,
    is_limited: bool,
}

/// For so many records an empty parcel keeps memory, whatever it held.
const FEWEST_KEPT: usize = 1024;
/// And for so many at most, or twice that.
const MOST_KEPT: usize = 8192;
/// Records that a parcel has room for from the start.
const FIRST: usize = 64;
const USUAL_PIECES: usize = 18;
const USUAL_FINDINGS: usize = 8;
const USUAL_TEXT: usize = 512;

impl Parcel {
    #[cfg(feature = "tracing-subscriber")]
    pub(crate) const fn new() -> Self {
        Self {
            records: Vec::new(),
            rare: Vec::new(),
            kept: 0,
            findings: Vec::new(),
            pieces: Vec::new(),
            text: String::new(),
            redactors: Vec::new(),
            confirms: Vec::new(),
        }
    }

    /// A parcel that need not grow for a few records.
    pub(crate) fn with_room() -> Self {
        Self {
            records: Vec::with_capacity(FIRST),
            rare: Vec::new(),
            kept: 0,
            findings: Vec::with_capacity(FIRST * USUAL_FINDINGS),
            pieces: Vec::with_capacity(FIRST * USUAL_PIECES),
            text: String::with_capacity(FIRST * USUAL_TEXT),
            redactors: Vec::with_capacity(1),
            confirms: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    #[cfg(test)]
    pub(super) fn findings_kept(&self) -> usize {
        self.findings.len()
    }

    /// Bytes that its content takes.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
            + mem::size_of_val(&*self.records)
            + mem::size_of_val(&*self.rare)
            + mem::size_of_val(&*self.findings)
            + mem::size_of_val(&*self.pieces)
    }

    /// Takes everything out, and keeps the memory that as many records will need again: a request that finds none waits
    /// for it. What was needed once is given back little by little.
    pub(crate) fn clear(&mut self) {
        let less = self.kept - self.kept / 8;
        self.kept = self.records.len().max(less).clamp(FEWEST_KEPT, MOST_KEPT);
        empty(&mut self.records, self.kept);
        empty(&mut self.rare, self.kept);
        empty(&mut self.findings, self.kept * USUAL_FINDINGS);
        empty(&mut self.pieces, self.kept * USUAL_PIECES);
        self.text.clear();
        if self.text.capacity() / 2 > self.kept * USUAL_TEXT {
            self.text.shrink_to(self.kept * USUAL_TEXT);
        }
        self.redactors.clear();
        self.confirms.clear();
    }

    /// Adds what another one holds.
    #[cfg(feature = "tracing-subscriber")]
    pub(crate) fn add(&mut self, other: &Self) {
        self.records.extend_from_slice(&other.records);
        self.rare.extend_from_slice(&other.rare);
        self.findings.extend_from_slice(&other.findings);
        self.pieces.extend_from_slice(&other.pieces);
        self.text.push_str(&other.text);
    }

    pub(crate) fn pack(&mut self, record: &Record<'_>) {
        self.pack_for(record, None);
    }

    /// Packs a record that is redacted when it is unpacked.
    pub(crate) fn pack_unredacted(&mut self, record: &Unredacted<'_>) {
        let (record, redactor) = record.raw();
        let mut known = self.redactors.iter();
        let place = known.position(|it| Arc::ptr_eq(it, redactor));
        let place = place.unwrap_or_else(|| {
            self.redactors.push(Arc::clone(redactor));
            self.redactors.len() - 1
        });
        self.pack_for(record, Some(place));
    }

    fn pack_for(&mut self, record: &Record<'_>, redactor: Option<usize>) {
        let texts = self.carry_texts(record, redactor.map_or(0, |_| AHEAD));
        let roles = self.carry_names(record.user_role);
        let scopes = self.carry_names(record.metadata.scopes);
        let actors = self.carry_names(record.metadata.delegation);
        let decision = record.metadata.decision;
        let decision = decision.map(|decision| PackedDecision {
            outcome: decision.outcome,
            baseline: decision.baseline,
            rules: self.carry_names(decision.rules),
            operations: decision.operations,
            is_unclear: decision.is_unclear,
            is_granted: decision.is_granted,
            is_limited: decision.is_limited,
        });
        let before = self.text.len();
        let has_same_findings = self.carry_findings(record.findings, redactor.is_some());
        let reasons = self.text.len() - before;
        let is_rare = self.carry_rare(record);
        self.records.push(Packed {
            redactor,
            event_id: record.event_id,
            timestamp: record.timestamp,
            latency: record.latency,
            duration: record.duration,
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            answer: record.answer,
            severity: record.severity,
            classes: record.classes,
            result_type: record.metadata.result_type,
            refused_credential: record.refused_credential,
            actors,
            event_type: record.event_type,
            result: record.result,
            principal_kind: record.metadata.principal_kind,
            call_kind: record.metadata.call_kind,
            is_rare,
            texts,
            findings: record.findings.len(),
            has_same_findings,
            reasons,
            findings_dropped: record.findings_dropped,
            ip_address: record.ip_address,
            status: record.status,
            outcome: record.outcome,
            denial: record.metadata.denial,
            protocol_version: record.metadata.protocol_version,
            roles,
            scopes,
            decision,
        });
    }

    /// Tells whether there is any of it.
    fn carry_rare(&mut self, record: &Record<'_>) -> bool {
        let metadata = &record.metadata;
        let is_rare = record.trace.is_some()
            || metadata.intent.is_some()
            || record.identities.is_some()
            || metadata.layer.is_some()
            || metadata.missing.is_some();
        if is_rare {
            self.rare.push(Rare {
                trace: record.trace,
                intent: metadata.intent,
                identities: record.identities,
                layer: metadata.layer,
                missing: metadata.missing,
            });
        }
        is_rare
    }

    fn carry_names(&mut self, names: Names<'_>) -> Listed {
        if !names.is_known() {
            return None;
        }
        let before = self.pieces.len();
        names.each(|name| {
            self.carry(name, 0);
        });
        let named = u8::try_from(self.pieces.len() - before).unwrap_or_default();
        Some((named, names.are_cut()))
    }

    /// Carries the texts that there are, and tells which those are.
    fn carry_texts(&mut self, record: &Record<'_>, ahead: usize) -> u32 {
        let (mut there, mut bit) = (0, 1);
        for text in texts(record) {
            if text.and_then(|text| self.carry(*text, ahead)).is_some() {
                there |= bit;
            }
            bit <<= 1;
        }
        let json = [
            record.metadata.arguments,
            record.metadata.response,
            record.metadata.masked,
        ];
        for json in json {
            if json
                .and_then(|json| self.carry(as_text(json), ahead))
                .is_some()
            {
                there |= bit;
            }
            bit <<= 1;
        }
        there
    }

    /// `None` of a text beyond any bound that there is.
    #[inline]
    fn carry(&mut self, text: Text<'_>, ahead: usize) -> Option<()> {
        let carried = text.portable_ahead(ahead);
        let piece = Piece {
            len: u16::try_from(carried.len()).ok()?,
            limit: u16::try_from(text.limit()).ok()?,
            is_cut: text.is_cut_behind() || carried.len() < text.raw().len(),
        };
        self.text.push_str(carried);
        self.pieces.push(piece);
        Some(())
    }

    /// Whether these findings are those of the record that was packed last but for reasons of their own, as they are of
    /// one request after the other.
    fn are_last(&self, made: &[Finding]) -> bool {
        let Some(last) = self.records.last().map(|last| last.findings) else {
            return false;
        };
        let known = self.findings.len().checked_sub(last);
        let known = known.and_then(|from| self.findings.get(from..));
        made.len() == last
            && known.is_some_and(|known| known.iter().zip(made).all(|(known, made)| known.is(made)))
    }

    /// Tells whether they are those of the record before. What is still to be redacted is not cut to what may be shown:
    /// its length changes.
    fn carry_findings(&mut self, findings: Findings<'_>, is_whole: bool) -> bool {
        let made = findings.made();
        let are_last = made.is_some_and(|made| self.are_last(made));
        // What is static takes no room here, and is cut where it is written.
        let mut budget = Budget::new();
        let (text, pieces) = (&mut self.text, &mut self.pieces);
        let mut carry = |verdict, reason: &str| {
            let carried = match is_whole {
                true => beginning(reason, LONGEST_REASON),
                false => budget.portable(verdict, reason),
            };
            text.push_str(carried);
            pieces.push(Piece {
                len: u16::try_from(carried.len()).unwrap_or_default(),
                limit: 0,
                is_cut: false,
            });
            Reason::Carried
        };
        match made {
            Some(made) if are_last => {
                for finding in made {
                    if let Cow::Owned(reason) = &finding.reason {
                        carry(finding.verdict, reason);
                    }
                }
            }
            Some(made) => self
                .findings
                .extend(made.iter().map(|finding| PackedFinding {
                    layer: finding.layer,
                    kind: finding.kind,
                    reason: match finding.reason {
                        Cow::Borrowed(reason) => Reason::Static(reason),
                        Cow::Owned(ref reason) => carry(finding.verdict, reason),
                    },
                    verdict: finding.verdict,
                })),
            // Of a record that was carried before.
            None => self
                .findings
                .extend(findings.iter().map(|finding| PackedFinding {
                    layer: finding.layer,
                    kind: finding.kind,
                    reason: carry(finding.verdict, finding.reason),
                    verdict: finding.verdict,
                })),
        }
        are_last
    }

    /// The record that was packed last is to become durable.
    pub(crate) fn confirm_last(&mut self, confirm: Confirm) {
        let place = self.records.len().saturating_sub(1);
        self.confirms.push((place, confirm));
    }

    /// Takes who waits for its records away.
    pub(crate) fn take_confirms(&mut self) -> Vec<(usize, Confirm)> {
        mem::take(&mut self.confirms)
    }

    pub(crate) fn unpack(&self) -> Unpacking<'_> {
        Unpacking {
            records: self.records.iter(),
            rare: self.rare.iter(),
            last_findings: &[],
            findings: &self.findings,
            pieces: self.pieces.iter(),
            text: &self.text,
            redactors: &self.redactors,
        }
    }
}

/// Takes everything out; keeps room for so many, and up to twice that if it is there.
fn empty<T>(list: &mut Vec<T>, kept: usize) {
    list.clear();
    if list.capacity() / 2 > kept {
        list.shrink_to(kept);
    }
}

const NOTHING: Text<'static> = Text::new("", 0);

/// The texts of a record that are no JSON, in the order in which they are carried.
fn texts<'r, 'a>(record: &'r Record<'a>) -> [Option<&'r Text<'a>>; 18] {
    let metadata = &record.metadata;
    [
        record.user_id.as_ref(),
        record.tool_name.as_ref(),
        record.resource_id.as_ref(),
        record.action.as_ref(),
        record.user_agent.as_ref(),
        record.correlation_id.as_ref(),
        metadata.auth_method.as_ref(),
        metadata.issuer.as_ref(),
        metadata.client_id.as_ref(),
        metadata.tenant.as_ref(),
        metadata.credential_id.as_ref(),
        metadata.rpc_id.as_ref(),
        metadata.prompt.as_ref(),
        metadata.task.as_ref(),
        metadata.http_method.as_ref(),
        metadata.http_path.as_ref(),
        metadata.detail.as_ref(),
        metadata.decision.as_ref().map(|decision| &decision.policy),
    ]
}

/// JSON as a text that is carried whole.
fn as_text(json: Json<'_>) -> Text<'_> {
    Text::new(json.as_str(), u16::MAX.into())
}

/// A parcel's records, one by one.
#[derive(Debug)]
pub(crate) struct Unpacking<'p> {
    records: slice::Iter<'p, Packed>,
    rare: slice::Iter<'p, Rare>,
    last_findings: &'p [PackedFinding],
    findings: &'p [PackedFinding],
    pieces: slice::Iter<'p, Piece>,
    text: &'p str,
    redactors: &'p [Arc<Redactor>],
}

impl<'p> Unpacking<'p> {
    pub(crate) fn is_over(&self) -> bool {
        self.records.len() == 0
    }

    /// Hands the next record over, which gets this place; `None` if there is none.
    pub(crate) fn next<R>(
        &mut self,
        sequence: u64,
        take_it: impl FnOnce(&Record<'_>) -> R,
    ) -> Option<R> {
        let packed = self.records.next()?;
        let [
            user_id,
            tool_name,
            resource_id,
            action,
            user_agent,
            correlation_id,
            auth_method,
            issuer,
            client_id,
            tenant,
            credential_id,
            rpc_id,
            prompt,
            task,
            http_method,
            http_path,
            detail,
            policy,
            arguments,
            response,
            masked,
        ] = array::from_fn(|place| {
            let is_there = packed.texts >> place & 1 == 1;
            if is_there { self.next_text() } else { None }
        });
        let (mut roles, mut scopes) = ([NOTHING; MOST_ROLES], [NOTHING; MOST_SCOPES]);
        let (mut rules, mut actors) = ([NOTHING; MOST_RULES], [NOTHING; MOST_ACTORS]);
        let user_role = self.next_names(packed.roles, &mut roles);
        let scopes = self.next_names(packed.scopes, &mut scopes);
        let delegation = self.next_names(packed.actors, &mut actors);
        let decision = packed.decision.map(|decision| Decision {
            outcome: decision.outcome,
            policy: policy.unwrap_or(NOTHING),
            baseline: decision.baseline,
            rules: self.next_names(decision.rules, &mut rules),
            operations: decision.operations,
            is_unclear: decision.is_unclear,
            is_granted: decision.is_granted,
            is_limited: decision.is_limited,
        });
        if !packed.has_same_findings {
            let split = self.findings.split_at_checked(packed.findings);
            (self.last_findings, self.findings) = split.unwrap_or_default();
        }
        let carried = self.last_findings.iter().filter(|it| it.is_carried());
        let lengths = self.pieces.as_slice().split_at_checked(carried.count());
        let (lengths, pieces) = lengths.unwrap_or_default();
        self.pieces = pieces.iter();
        let findings = CarriedFindings {
            findings: self.last_findings,
            lengths,
            reasons: take(&mut self.text, packed.reasons),
        };
        let rare = if packed.is_rare {
            self.rare.next()
        } else {
            None
        };
        let record = Record {
            event_id: packed.event_id,
            sequence: Some(sequence),
            timestamp: packed.timestamp,
            event_type: packed.event_type,
            severity: packed.severity,
            classes: packed.classes,
            user_id,
            user_role,
            tool_name,
            resource_id,
            action,
            result: packed.result,
            ip_address: packed.ip_address,
            user_agent,
            correlation_id,
            metadata: Metadata {
                denial: packed.denial,
                principal_kind: packed.principal_kind,
                scopes,
                delegation,
                call_kind: packed.call_kind,
                auth_method,
                issuer,
                client_id,
                tenant,
                credential_id,
                rpc_id,
                prompt,
                task,
                protocol_version: packed.protocol_version,
                http_method,
                http_path,
                decision,
                arguments: arguments.map(|text: Text<'_>| Json::new(text.raw())),
                response: response.map(|text: Text<'_>| Json::new(text.raw())),
                masked: masked.map(|text: Text<'_>| Json::new(text.raw())),
                result_type: packed.result_type,
                intent: rare.and_then(|rare| rare.intent),
                layer: rare.and_then(|rare| rare.layer),
                detail,
                found: None,
                missing: rare.and_then(|rare| rare.missing),
            },
            outcome: packed.outcome,
            status: packed.status,
            answer: packed.answer,
            latency: packed.latency,
            duration: packed.duration,
            request_bytes: packed.request_bytes,
            response_bytes: packed.response_bytes,
            trace: rare.and_then(|rare| rare.trace),
            findings: Findings::carried(findings),
            findings_dropped: packed.findings_dropped,
            identities: rare.and_then(|rare| rare.identities),
            refused_credential: packed.refused_credential,
        };
        let redactor = packed.redactor.and_then(|place| self.redactors.get(place));
        let screened = redactor.and_then(|redactor| Screened::of(&record, redactor, &[]));
        Some(match &screened {
            Some(screened) => take_it(&screened.applied(&record)),
            None => take_it(&record),
        })
    }

    fn next_names<'n>(&mut self, listed: Listed, names: &'n mut [Text<'p>]) -> Names<'n> {
        let Some((named, more)) = listed else {
            return Names::nobodys();
        };
        let named = usize::from(named).min(names.len());
        for name in names.iter_mut().take(named) {
            *name = self.next_text().unwrap_or(*name);
        }
        Names::carried(names.get(..named).unwrap_or_default(), more)
    }

    fn next_text(&mut self) -> Option<Text<'p>> {
        let piece = self.pieces.next()?;
        let text = take(&mut self.text, piece.len.into());
        Some(Text::carried(text, piece.limit.into(), piece.is_cut))
    }
}

/// Takes so many bytes off the front.
pub(super) fn take<'p>(text: &mut &'p str, len: usize) -> &'p str {
    let (taken, rest) = text.split_at_checked(len).unwrap_or_default();
    *text = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(parcel: &mut Parcel, records: usize) {
        let record = Record::gap(Duration::ZERO, Missing::default(), &[]);
        for _ in 0..records {
            parcel.pack(&record);
        }
        parcel.clear();
    }

    #[test]
    fn what_a_burst_needed_is_there_for_the_next_one_and_goes_when_few_come() {
        let mut parcel = Parcel::with_room();
        filled(&mut parcel, 5000);
        let after_burst = parcel.records.capacity();
        assert!(after_burst >= 5000);
        filled(&mut parcel, 5000);
        assert_eq!(parcel.records.capacity(), after_burst);
        for _ in 0..20 {
            filled(&mut parcel, 10);
        }
        assert!(parcel.records.capacity() <= 2 * FEWEST_KEPT);
    }

    #[test]
    fn however_much_a_burst_needed_what_is_kept_is_bounded() {
        let mut parcel = Parcel::with_room();
        filled(&mut parcel, 10 * MOST_KEPT);
        assert!(parcel.records.capacity() <= 2 * MOST_KEPT);
        assert!(parcel.text.capacity() <= 2 * MOST_KEPT * USUAL_TEXT);
    }
}
