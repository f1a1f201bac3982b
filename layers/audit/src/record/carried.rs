use std::{borrow::Cow, mem, ptr};

use bartizan_core::{Finding, Verdict};

use super::{FindingRef, Findings, packed::Piece, unpacking::take};

/// A finding without a reason that was made for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackedFinding {
    pub(super) layer: &'static str,
    pub(super) kind: &'static str,
    pub(super) reason: Reason,
    pub(super) verdict: Verdict,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Reason {
    Static(&'static str),
    /// Behind the one before it, as the next of the lengths says.
    Carried,
}

impl PackedFinding {
    /// Whether it is this one, whatever reason of its own that has: what is static stands at the same place.
    pub(super) fn is(&self, made: &Finding) -> bool {
        let is_reason = match (self.reason, &made.reason) {
            (Reason::Static(known), Cow::Borrowed(made)) => ptr::eq(known, *made),
            (Reason::Carried, Cow::Owned(_)) => true,
            _ => false,
        };
        is_reason
            && self.verdict == made.verdict
            && ptr::eq(self.kind, made.kind)
            && ptr::eq(self.layer, made.layer)
    }

    pub(super) fn is_carried(&self) -> bool {
        matches!(self.reason, Reason::Carried)
    }
}

/// The findings of one record, and the reasons that are not static one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CarriedFindings<'p> {
    pub(super) findings: &'p [PackedFinding],
    pub(super) lengths: &'p [Piece],
    pub(super) reasons: &'p str,
    /// All of them as JSON, if that is known; empty otherwise.
    pub(super) json: &'p str,
}

impl<'p> CarriedFindings<'p> {
    pub(super) fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether these are those, findings and reasons.
    pub(super) fn are(&self, those: &Self) -> bool {
        ptr::eq(self.findings, those.findings)
            && self.lengths == those.lengths
            && self.reasons == those.reasons
    }

    /// With their reasons, and whether those were carried.
    pub(super) fn iter(self) -> impl Iterator<Item = (FindingRef<'p>, bool)> {
        let (mut lengths, mut reasons) = (self.lengths.iter(), self.reasons);
        self.findings.iter().map(move |finding| {
            let reason = match finding.reason {
                Reason::Static(reason) => reason,
                Reason::Carried => {
                    let len = lengths.next().map_or(0, |piece| piece.len.into());
                    take(&mut reasons, len)
                }
            };
            let shown = FindingRef {
                layer: finding.layer,
                verdict: finding.verdict,
                kind: finding.kind,
                reason,
            };
            (shown, finding.is_carried())
        })
    }
}

/// The last record's findings, and their JSON once it is known.
#[derive(Debug, Default)]
pub(super) struct ShownFindings<'p> {
    last: CarriedFindings<'p>,
    json: String,
}

impl<'p> ShownFindings<'p> {
    /// The findings with their JSON, half of a line, if the last record had the same ones.
    pub(super) fn again<'s>(&'s mut self, findings: CarriedFindings<'p>) -> CarriedFindings<'s> {
        if !findings.are(&self.last) {
            self.last = findings;
            self.json.clear();
            return findings;
        }
        if self.json.is_empty() {
            let mut json = mem::take(&mut self.json).into_bytes();
            Findings::carried(findings).write_json(&mut json);
            // Visible ASCII.
            self.json = String::from_utf8(json).unwrap_or_default();
        }
        CarriedFindings {
            json: &self.json,
            ..findings
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Record,
        gaps::Missing,
        record::{Harmless, Parcel},
    };

    fn findings(kind: &'static str, reasons: [&str; 2]) -> Vec<Finding> {
        let [first, last] = reasons.map(str::to_owned);
        vec![
            Finding::new("cors", Verdict::Allowed, kind, first),
            Finding::new("auth", Verdict::Allowed, "identified", "jwt"),
            Finding::new("rbac", Verdict::Noted, "permitted", last),
        ]
    }

    #[test]
    fn findings_that_differ_in_their_own_reasons_only_are_kept_once_and_none_is_another_requests() {
        let jwt: &'static str = String::from("jwt").leak();
        let same_words = Finding::new("auth", Verdict::Allowed, "identified", jwt);
        let mut elsewhere = findings("a", ["x", "y"]);
        elsewhere[1] = same_words;
        let mut refused = findings("a", ["x", "y"]);
        refused[2].verdict = Verdict::Refused;
        let mut own = findings("a", ["x", "y"]);
        own[1].reason = Cow::Owned("jwt".into());
        // Each with how many findings stand in the parcel then.
        let requests = [
            (findings("a", ["one", "two"]), 3),
            (findings("a", ["", "longer than before"]), 3),
            (findings("a", ["one", "two"]), 3),
            (findings("b", ["one", "two"]), 6),
            (findings("a", ["one", "two"]), 9),
            (vec![], 9),
            (vec![], 9),
            (findings("a", ["x", "y"]), 12),
            (elsewhere, 15),
            (refused, 18),
            (own, 21),
            (findings("a", ["x", "y"])[..2].to_vec(), 23),
            (findings("a", ["p", "q"])[..2].to_vec(), 23),
        ];
        let record = |findings| Record::gap(Duration::ZERO, Missing::default(), findings);
        let mut parcel = Parcel::default();
        for (findings, kept) in &requests {
            parcel.pack(&record(findings));
            assert_eq!(parcel.findings_kept(), *kept, "{findings:?}");
        }
        let mut harmless = Harmless::default();
        let mut unpacking = parcel.unpack(&mut harmless);
        for (made, _) in &requests {
            let is_right = |record: &Record<'_>| {
                let carried: Vec<_> = record.findings.iter().collect();
                assert_eq!(carried, Findings::of(made).iter().collect::<Vec<_>>());
                let (mut known, mut written) = (Vec::new(), Vec::new());
                record.findings.write_json(&mut known);
                Findings::of(made).write_json(&mut written);
                assert_eq!(known, written);
                let chosen: Vec<_> = record.findings.chosen().collect();
                assert_eq!(chosen, Findings::of(made).chosen().collect::<Vec<_>>());
                assert_eq!(
                    record.findings.chosen_bytes(),
                    Findings::of(made).chosen_bytes()
                );
            };
            unpacking.next(1, is_right).unwrap();
        }
        assert!(unpacking.is_over());
    }
}
