use bartizan_core::{Finding, Verdict};

use super::Text;

const MAX_LAYER: usize = 16;
const MAX_KIND: usize = 32;
const MAX_REASON: usize = 512;

/// What the reasons of one record take together: of what was refused, and of everything else.
const REFUSALS: usize = 1024;
const OTHERS: usize = 1536;

/// Appends the findings of all guards, in order. When their reasons exceed the record's bound the
/// later ones are cut, those of refusals last.
pub(crate) fn write_json(findings: &[Finding], out: &mut Vec<u8>) {
    let (mut refusals, mut others) = (REFUSALS, OTHERS);
    out.push(b'[');
    for (index, finding) in findings.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let left = if finding.verdict == Verdict::Refused {
            &mut refusals
        } else {
            &mut others
        };
        write_finding(finding, left, out);
    }
    out.push(b']');
}

fn write_finding(finding: &Finding, left: &mut usize, out: &mut Vec<u8>) {
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
        Text::new(&finding.reason, MAX_REASON.min(*left)).write_contents(out);
        *left = left.saturating_sub(out.len() - before);
    }
    out.extend_from_slice(b"\"}");
}
