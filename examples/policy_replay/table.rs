//! The differences for people to read.

use std::io::{self, Write};

use bartizan::{
    printable,
    rbac::{Difference, Replay},
};

/// Differences of one sort that are shown.
const MOST_ROWS: usize = 50;

pub(crate) fn write(replay: &Replay, out: &mut impl Write) -> io::Result<()> {
    let versions: Vec<_> = replay
        .versions
        .keys()
        .map(|version| format!("`{version}`"))
        .collect();
    writeln!(
        out,
        "policy `{}` instead of {}",
        replay.policy,
        versions.join(", ")
    )?;
    let told = replay.same + replay.gained + replay.lost + replay.changed;
    writeln!(
        out,
        "{} records, {told} decisions told: {} the same, {} gained, {} lost, {} refused otherwise",
        replay.records, replay.same, replay.gained, replay.lost, replay.changed
    )?;
    section(out, "GAINS: refused, and would be admitted", replay.gains())?;
    section(
        out,
        "LOSSES: admitted, and would be refused",
        replay.losses(),
    )?;
    section(out, "REFUSED OTHERWISE", replay.changes())?;
    if replay.unlisted > 0 {
        writeln!(
            out,
            "\nand {} differences that are not listed",
            replay.unlisted
        )?;
    }
    for (why, (count, first)) in &replay.untold {
        writeln!(
            out,
            "\ncannot tell {count}: {} (first {})",
            why.name(),
            shown(first, 64)
        )?;
    }
    if replay.bad > 0 {
        writeln!(out, "\n{} lines are no records:", replay.bad)?;
        for bad in &replay.bad_lines {
            writeln!(out, "  line {}: {}", bad.line, bad.problem)?;
        }
    }
    if told == 0 {
        writeln!(
            out,
            "\nnothing was compared: the log holds no decision that could be told"
        )?;
    }
    Ok(())
}

fn section<'a>(
    out: &mut impl Write,
    title: &str,
    differences: impl Iterator<Item = &'a Difference>,
) -> io::Result<()> {
    let differences: Vec<_> = differences.collect();
    if differences.is_empty() {
        return Ok(());
    }
    let head = [
        "count", "what", "who", "before", "now", "rules", "first", "last",
    ]
    .map(String::from);
    let rows = differences.iter().take(MOST_ROWS).map(|one| row(one));
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    writeln!(out, "\n{title}")?;
    for row in &rows {
        let mut line = String::new();
        for (place, cell) in row.iter().enumerate() {
            let widths = rows.iter().filter_map(|row| row.get(place));
            let width = widths
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default();
            line.push_str(&format!("  {cell:width$}"));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    let more = differences.len().saturating_sub(MOST_ROWS);
    if more > 0 {
        writeln!(out, "  and {more} more: see --json")?;
    }
    Ok(())
}

fn row(one: &Difference) -> [String; 8] {
    let method = match &*one.method {
        "" => one.kind,
        method => method,
    };
    let name = one.name.as_deref().unwrap_or_default();
    let what = format!("{method} {name}");
    let mut who = match one.roles.is_empty() {
        true => one.who.to_owned(),
        false => one.roles.join(" "),
    };
    if !one.scopes.is_empty() {
        who.push_str(&format!(" [{}]", one.scopes.join(" ")));
    }
    let rules = match one.rules.is_empty() {
        true => "-".to_owned(),
        false => one.rules.join(", "),
    };
    [
        one.count.to_string(),
        shown(what.trim_end(), 60),
        shown(&who, 40),
        one.before.name().to_owned(),
        one.after.name().to_owned(),
        shown(&rules, 60),
        shown(&one.first, 36),
        shown(&one.last, 36),
    ]
}

/// What a stranger chose is in the log too.
fn shown(text: &str, most: usize) -> String {
    printable(text, most).to_string()
}
