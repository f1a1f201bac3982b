use bartizan_core::{Finding, Verdict};

use super::{Text, text::CUT_SHORT_BY};

const MAX_LAYER: u32 = 16;
const MAX_KIND: u32 = 32;
const MAX_REASON: u32 = 512;

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

/// A finding, wherever its parts are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) layer: &'a str,
    pub(crate) verdict: Verdict,
    pub(crate) kind: &'a str,
    pub(crate) reason: &'a str,
}

impl<'a> From<&'a Finding> for Entry<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            layer: finding.layer,
            verdict: finding.verdict,
            kind: finding.kind,
            reason: &finding.reason,
        }
    }
}

/// Appends the findings of all guards, in order. When their reasons exceed the record's bound the
/// later ones are cut, those of refusals last.
pub(crate) fn write_json<'a>(findings: impl Iterator<Item = Entry<'a>>, out: &mut Vec<u8>) {
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

fn write_finding(finding: Entry<'_>, left: &mut u32, out: &mut Vec<u8>) {
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
