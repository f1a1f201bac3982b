use std::{borrow::Cow, mem, sync::Arc};

use bartizan_core::{Finding, Principal};
use bartizan_sensitive::Redactor;

use super::{
    Harmless, Json, Names, Record, Text, Unredacted,
    carried::{PackedFinding, Reason},
    findings::{Budget, Findings},
    packed::{Listed, Packed, PackedDecision, Piece, Rare, Texts, Usual, Who, Word},
    screened::{AHEAD, LONGEST_REASON, beginning},
    unpacking::Unpacking,
};
use crate::durable::Confirm;

/// Records without what they borrow, on their way to the thread that makes lines of them.
///
/// Only what a record may show is copied, so that its bound holds here too. Texts stand one after
/// the other, as they were sent; what is static is not copied.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    pub(super) records: Vec<Packed>,
    pub(super) usual: Vec<Usual>,
    pub(super) who: Vec<Who>,
    pub(super) rare: Vec<Rare>,
    /// For how many records it keeps memory when it is emptied.
    kept: usize,
    pub(super) findings: Vec<PackedFinding>,
    pub(super) pieces: Vec<Piece>,
    pub(super) text: String,
    /// What those are redacted by that are not yet: few, for a layer has one.
    pub(super) redactors: Vec<Arc<Redactor>>,
    /// Who waits until a record is durable, by its place. Dropped, they learn that it is not.
    confirms: Vec<(usize, Confirm)>,
    /// Of whom the last record is, if the next one may be known to be of the same by that.
    last_principal: Option<Principal>,
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
            usual: Vec::new(),
            who: Vec::new(),
            rare: Vec::new(),
            kept: 0,
            findings: Vec::new(),
            pieces: Vec::new(),
            text: String::new(),
            redactors: Vec::new(),
            confirms: Vec::new(),
            last_principal: None,
        }
    }

    /// A parcel that need not grow for a few records.
    pub(crate) fn with_room() -> Self {
        Self {
            records: Vec::with_capacity(FIRST),
            usual: Vec::with_capacity(FIRST),
            who: Vec::with_capacity(FIRST),
            rare: Vec::new(),
            kept: 0,
            findings: Vec::with_capacity(FIRST * USUAL_FINDINGS),
            pieces: Vec::with_capacity(FIRST * USUAL_PIECES),
            text: String::with_capacity(FIRST * USUAL_TEXT),
            redactors: Vec::with_capacity(1),
            confirms: Vec::new(),
            last_principal: None,
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
            + mem::size_of_val(&*self.usual)
            + mem::size_of_val(&*self.who)
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
        empty(&mut self.usual, self.kept);
        empty(&mut self.who, self.kept);
        empty(&mut self.rare, self.kept);
        empty(&mut self.findings, self.kept * USUAL_FINDINGS);
        empty(&mut self.pieces, self.kept * USUAL_PIECES);
        self.text.clear();
        if self.text.capacity() / 2 > self.kept * USUAL_TEXT {
            self.text.shrink_to(self.kept * USUAL_TEXT);
        }
        self.redactors.clear();
        self.confirms.clear();
        self.last_principal = None;
    }

    /// Adds what another one holds.
    #[cfg(feature = "tracing-subscriber")]
    pub(crate) fn add(&mut self, other: &Self) {
        self.records.extend_from_slice(&other.records);
        self.usual.extend_from_slice(&other.usual);
        self.who.extend_from_slice(&other.who);
        self.rare.extend_from_slice(&other.rare);
        self.findings.extend_from_slice(&other.findings);
        self.pieces.extend_from_slice(&other.pieces);
        self.text.push_str(&other.text);
        self.last_principal = None;
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
        let ahead = redactor.map_or(0, |_| AHEAD);
        // Nobody can have changed what is not redacted yet: it is as the layer took it from the principal.
        let principal = record.principal.filter(|_| redactor.is_some());
        let has_same_who = self.is_last(principal);
        if !has_same_who {
            self.carry_who(record, ahead);
            self.last_principal = principal.cloned();
        }
        let metadata = &record.metadata;
        let texts = self.carry_texts(record, ahead);
        let decision = metadata.decision.map(|decision| PackedDecision {
            outcome: Word(decision.outcome),
            baseline: decision.baseline.map(Word),
            rules: self.carry_names(decision.rules),
            operations: decision.operations,
            is_unclear: decision.is_unclear,
            is_granted: decision.is_granted,
            is_limited: decision.is_limited,
        });
        let has_same_findings = self.carry_findings(record.findings, redactor.is_some());
        let has_same_usual = self.carry_usual(Usual {
            redactor,
            texts,
            findings: record.findings.len(),
            findings_dropped: record.findings_dropped,
            event_type: Word(record.event_type),
            severity: record.severity,
            classes: record.classes,
            result: Word(record.result),
            outcome: record.outcome,
            status: record.status,
            denial: metadata.denial,
            answer: record.answer,
            result_type: metadata.result_type.map(Word),
            principal_kind: metadata.principal_kind.map(Word),
            call_kind: metadata.call_kind.map(Word),
            protocol_version: metadata.protocol_version,
            decision,
        });
        let is_rare = self.carry_rare(record);
        self.records.push(Packed {
            event_id: record.event_id,
            timestamp: record.timestamp,
            latency: record.latency,
            duration: record.duration,
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            refused_credential: record.refused_credential,
            ip_address: record.ip_address,
            has_same_who,
            has_same_usual,
            has_same_findings,
            is_rare,
        });
    }

    fn is_last(&self, principal: Option<&Principal>) -> bool {
        match (principal, &self.last_principal) {
            (Some(principal), Some(last)) => principal.is_clone_of(last),
            _ => false,
        }
    }

    fn carry_who(&mut self, record: &Record<'_>, ahead: usize) {
        let who = Who {
            texts: self.carry_all(who_texts(record), ahead),
            roles: self.carry_names(record.user_role),
            scopes: self.carry_names(record.metadata.scopes),
            actors: self.carry_names(record.metadata.delegation),
        };
        self.who.push(who);
    }

    /// Tells whether it is that of the record before.
    fn carry_usual(&mut self, usual: Usual) -> bool {
        let is_last = self.usual.last() == Some(&usual);
        if !is_last {
            self.usual.push(usual);
        }
        is_last
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
    fn carry_texts(&mut self, record: &Record<'_>, ahead: usize) -> Texts {
        let metadata = &record.metadata;
        let json = [metadata.arguments, metadata.response, metadata.masked];
        let json = json.map(|json| json.map(as_text));
        let texts = texts(record);
        let behind = texts.len();
        let there = self.carry_all(texts, ahead);
        there | self.carry_all(json.each_ref().map(Option::as_ref), ahead) << behind
    }

    fn carry_all<const N: usize>(&mut self, texts: [Option<&Text<'_>>; N], ahead: usize) -> Texts {
        let (mut there, mut bit) = (0, 1);
        for text in texts {
            if text.and_then(|text| self.carry(*text, ahead)).is_some() {
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
        let Some(last) = self.usual.last().map(|last| last.findings) else {
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

    pub(crate) fn unpack<'p>(&'p self, harmless: &'p mut Harmless) -> Unpacking<'p> {
        Unpacking::of(self, harmless)
    }
}

/// Takes everything out; keeps room for so many, and up to twice that if it is there.
fn empty<T>(list: &mut Vec<T>, kept: usize) {
    list.clear();
    if list.capacity() / 2 > kept {
        list.shrink_to(kept);
    }
}

/// The texts that tell of whom a record is, in the order in which they are carried.
fn who_texts<'r, 'a>(record: &'r Record<'a>) -> [Option<&'r Text<'a>>; 6] {
    let metadata = &record.metadata;
    [
        record.user_id.as_ref(),
        metadata.auth_method.as_ref(),
        metadata.issuer.as_ref(),
        metadata.client_id.as_ref(),
        metadata.tenant.as_ref(),
        metadata.credential_id.as_ref(),
    ]
}

/// The others that are no JSON, which is carried behind them.
fn texts<'r, 'a>(record: &'r Record<'a>) -> [Option<&'r Text<'a>>; 12] {
    let metadata = &record.metadata;
    [
        record.tool_name.as_ref(),
        record.resource_id.as_ref(),
        record.action.as_ref(),
        record.user_agent.as_ref(),
        record.correlation_id.as_ref(),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gaps::Missing;

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
