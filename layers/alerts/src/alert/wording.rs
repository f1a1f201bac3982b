use std::fmt::Write as _;

use bartizan_audit::Record;
use bartizan_core::{DenialKind, printable};

use super::AlertKind;
use crate::{
    groups::Sum,
    rule::{unquoted, write_group},
};

/// Bytes of it at most.
const MOST: usize = 500;

/// What of one record's field is shown.
const FIELD: usize = 96;

/// What a person is told: of whom, how much, and of the record that it was raised at what it is.
pub(crate) fn wording(rule: &str, sum: &Sum, record: Option<&Record<'_>>) -> String {
    let mut out = String::with_capacity(160);
    // A `String` takes every write.
    let _ = write!(out, "{rule}");
    if !sum.group.is_empty() || sum.is_other {
        out.push_str(" (");
        write_group(&mut out, &sum.group, sum.is_other);
        out.push(')');
    }
    let seconds = sum.last.saturating_sub(sum.first).as_secs();
    let _ = match (sum.kind, sum.count) {
        (AlertKind::Repeated, count) => write!(out, ": {count} more in {seconds} s"),
        (AlertKind::Raised, 1) => Ok(()),
        (AlertKind::Raised, count) => write!(out, ": {count} in {seconds} s"),
    };
    if let Some(record) = record {
        let last = if sum.count == 1 { ": " } else { ", the last: " };
        out.push_str(last);
        write_record(&mut out, record);
    }
    shortened(out)
}

fn write_record(out: &mut String, record: &Record<'_>) {
    let metadata = &record.metadata;
    out.push_str(record.event_type);
    let denial = metadata.denial.map(DenialKind::name);
    if let Some(found) = metadata.found {
        let _ = write!(
            out,
            " `{}`",
            unquoted(
                &printable(found.detector, FIELD / 2)
                    .to_string()
                    .replace('…', "...")
            )
        );
        for (name, value) in [
            (found.feature, found.value),
            ("usually", found.baseline),
            ("about", found.about),
        ] {
            if let Some(value) = value {
                push(out, name, value.as_str());
            }
        }
    }
    for (name, value) in [
        ("because of", denial),
        ("tool", record.tool_name.as_ref().map(|it| it.as_str())),
        ("action", record.action.as_ref().map(|it| it.as_str())),
        ("user", record.user_id.as_ref().map(|it| it.as_str())),
        ("key", metadata.credential_id.as_ref().map(|it| it.as_str())),
        ("layer", metadata.layer),
        ("said", metadata.detail.as_ref().map(|it| it.as_str())),
    ] {
        if let Some(value) = value {
            push(out, name, value);
        }
    }
    if let Some(address) = record.ip_address {
        let _ = write!(out, ", from {address}");
    }
}

fn push(out: &mut String, name: &str, value: &str) {
    // `printable` marks what it cuts with a sign that is no ASCII.
    let shown = unquoted(&printable(value, usize::MAX).to_string());
    let end = shown.len().min(FIELD);
    let mark = if end < shown.len() { "..." } else { "" };
    let _ = write!(
        out,
        ", {name} `{}{mark}`",
        shown.get(..end).unwrap_or_default()
    );
}

/// It is visible ASCII, so that every place is one between characters.
fn shortened(mut text: String) -> String {
    if text.len() > MOST {
        text.truncate(MOST - 3);
        text.push_str("...");
    }
    text
}
