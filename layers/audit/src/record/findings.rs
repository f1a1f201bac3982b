use std::borrow::Cow;

use bartizan_core::{Finding, Verdict};

use super::{Text, carried::CarriedFindings, text::CUT_SHORT_BY};

const MAX_LAYER: u32 = 16;
const MAX_KIND: u32 = 32;
const MAX_REASON: u32 = 512;

/// The findings of a record, in the order in which guards made them.
#[derive(Debug, Clone, Copy)]
pub struct Findings<'a>(Source<'a>);

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Made(&'a [Finding]),
    Carried(CarriedFindings<'a>),
}

impl<'a> Findings<'a> {
    pub(crate) const fn of(findings: &'a [Finding]) -> Self {
        Self(Source::Made(findings))
    }

    pub(super) const fn carried(findings: CarriedFindings<'a>) -> Self {
        Self(Source::Carried(findings))
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = FindingRef<'a>> + use<'a> {
        let (made, carried) = self.parts();
        let carried = carried.map(|(finding, _)| finding);
        made.iter().map(FindingRef::from).chain(carried)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self.0 {
            Source::Made(findings) => findings.len(),
            Source::Carried(findings) => findings.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those that were made, and those that were carried since: one of them is empty.
    fn parts(
        &self,
    ) -> (
        &'a [Finding],
        impl Iterator<Item = (FindingRef<'a>, bool)> + use<'a>,
    ) {
        let (made, carried): (&[Finding], _) = match self.0 {
            Source::Made(made) => (made, None),
            Source::Carried(carried) => (&[], Some(carried)),
        };
        (made, carried.into_iter().flat_map(CarriedFindings::iter))
    }

    /// The reasons that are not static, and whose they are: others are nobody's but ours.
    pub(super) fn chosen(&self) -> impl Iterator<Item = (usize, &'a str)> + use<'a> {
        let (made, carried) = self.parts();
        let made = made.iter().map(|finding| match &finding.reason {
            Cow::Borrowed(_) => None,
            Cow::Owned(reason) => Some(&**reason),
        });
        let carried = carried.map(|(finding, is_carried)| is_carried.then_some(finding.reason));
        let all = made.chain(carried).enumerate();
        all.filter_map(|(place, reason)| Some((place, reason?)))
    }

    /// Bytes of the reasons that are not static.
    pub(super) fn chosen_bytes(&self) -> usize {
        let Source::Made(made) = self.0 else {
            return self.chosen().map(|(_, reason)| reason.len()).sum();
        };
        let bytes = made.iter().map(|finding| match &finding.reason {
            Cow::Borrowed(_) => 0,
            Cow::Owned(reason) => reason.len(),
        });
        bytes.sum()
    }

    /// Appends the findings of all guards, in order. When their reasons exceed the record's bound the later ones are
    /// cut, those of refusals last.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        match self.0 {
            Source::Carried(CarriedFindings { json, .. }) if !json.is_empty() => {
                out.extend_from_slice(json.as_bytes());
            }
            _ => write_json(self.iter(), out),
        }
    }

    /// A copy to be changed.
    pub(super) fn to_owned(self) -> Vec<Finding> {
        let copied =
            |it: FindingRef<'_>| Finding::new(it.layer, it.verdict, it.kind, it.reason.to_owned());
        self.iter().map(copied).collect()
    }

    /// As they were made, if they were not carried since.
    pub(super) fn made(&self) -> Option<&'a [Finding]> {
        match self.0 {
            Source::Made(findings) => Some(findings),
            Source::Carried(..) => None,
        }
    }
}

/// What the reasons of one record take together: of what was refused, and of everything else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    refusals: u32,
    others: u32,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            refusals: 1024,
            others: 1536,
        }
    }

    fn left(&mut self, verdict: Verdict) -> &mut u32 {
        if verdict == Verdict::Refused {
            &mut self.refusals
        } else {
            &mut self.others
        }
    }

    /// The part of a reason that may be shown, before it is encoded, which never makes it shorter. Takes
    /// off what it takes at least when it is, so that never less is left here than where it is written.
    pub(crate) fn portable<'a>(&mut self, verdict: Verdict, reason: &'a str) -> &'a str {
        let left = self.left(verdict);
        let limit = MAX_REASON.min(*left);
        let reason = Text::new(reason, limit).portable();
        let least = limit.saturating_sub(CUT_SHORT_BY.into());
        let taken = u32::try_from(reason.len()).unwrap_or(u32::MAX).min(least);
        *left = left.saturating_sub(taken);
        reason
    }
}

/// One guard's finding, wherever its parts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FindingRef<'a> {
    /// The layer, by the name it refuses under.
    pub layer: &'static str,
    /// What it concluded.
    pub verdict: Verdict,
    /// A stable word for the cause.
    pub kind: &'static str,
    /// The internal reason, as it was given: a record escapes it, and cuts it to 512 bytes.
    pub reason: &'a str,
}

impl<'a> From<&'a Finding> for FindingRef<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            layer: finding.layer,
            verdict: finding.verdict,
            kind: finding.kind,
            reason: &finding.reason,
        }
    }
}

fn write_json<'a>(findings: impl Iterator<Item = FindingRef<'a>>, out: &mut Vec<u8>) {
    let mut budget = Budget::new();
    out.push(b'[');
    for (index, finding) in findings.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let left = budget.left(finding.verdict);
        write_finding(finding, left, out);
    }
    out.push(b']');
}

fn write_finding(finding: FindingRef<'_>, left: &mut u32, out: &mut Vec<u8>) {
    // Written out member by member: these are most of a record.
    out.extend_from_slice(b"{\"layer\":\"");
    Text::new(finding.layer, MAX_LAYER).write_contents(out);
    out.extend_from_slice(b"\",\"verdict\":\"");
    out.extend_from_slice(finding.verdict.name().as_bytes());
    out.extend_from_slice(b"\",\"kind\":\"");
    Text::new(finding.kind, MAX_KIND).write_contents(out);
    if !finding.reason.is_empty() && *left > 0 {
        out.extend_from_slice(b"\",\"reason\":\"");
        let before = out.len();
        Text::new(finding.reason, MAX_REASON.min(*left)).write_contents(out);
        let written = u32::try_from(out.len() - before).unwrap_or(u32::MAX);
        *left = left.saturating_sub(written);
    }
    out.extend_from_slice(b"\"}");
}
