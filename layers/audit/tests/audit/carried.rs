//! Lines are made elsewhere and later, of a copy: they say the same.

use std::borrow::Cow;

use bartizan_audit::{AuditLayer, JsonLines, Records};
use bartizan_core::{Decided, Finding, SecurityContext, Verdict};
use proptest::{collection::vec, prelude::*};
use tower::{Layer, Service};

use super::{
    common::*,
    json_lines::{PATIENCE, Shared},
};

/// What a sink of yours is given, and the line.
fn both(findings: &[(Verdict, Cow<'static, str>)]) -> (Vec<String>, String) {
    let (records, written) = (Records::new(), Shared::default());
    let lines = JsonLines::to(written.clone());
    let layer = AuditLayer::new(records.clone()).also(lines.clone());
    let mut request = as_ann(call_tool("create_ticket"));
    let context = SecurityContext::of(&mut request);
    let mut decided = Decided::by("7".into());
    decided.outcome("forbidden");
    decided.rule(&"tool:create_*".into());
    context.set_decided(decided);
    let future = layer.layer(Actor(Act::Never)).call(request);
    for (verdict, reason) in findings {
        context.record(|| Finding::new("guard", *verdict, "kind", reason.clone()));
    }
    drop(future);
    lines.flush(PATIENCE).unwrap();
    (records.lines(), written.text())
}

#[test]
fn a_carried_reason_keeps_its_mark_behind_one_whose_characters_take_twelve_bytes() {
    let refused = |reason: String| (Verdict::Refused, reason.into());
    let findings = [refused("😀".repeat(150)), refused("a".repeat(600))];
    let (told, line) = both(&findings);
    assert!(told[0].contains("a\\u2026"), "{}", told[0]);
    assert_eq!(told, line.lines().collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_reasons_are_a_carried_record_says_the_same(
        findings in vec((0usize..3, "(?s:.)", 0usize..620, "[a-z]{0,12}", 0u8..4), 0..12),
    ) {
        let findings: Vec<_> = findings
            .into_iter()
            .map(|(verdict, one, times, end, is_static)| {
                let verdict = [Verdict::Allowed, Verdict::Refused, Verdict::Noted][verdict];
                match is_static {
                    0 => (verdict, include_str!("carried.rs").into()),
                    1 => (verdict, "a static reason".into()),
                    _ => (verdict, (one.repeat(times) + &end).into()),
                }
            })
            .collect();
        let (told, line) = both(&findings);
        prop_assert_eq!(told, line.lines().collect::<Vec<_>>());
    }
}
