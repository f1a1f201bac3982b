//! What it came to.

use bartizan::audit::Severity;
use ratatui::text::{Line, Span};
use time::OffsetDateTime;

use super::{Palette, Watch, counts::OUTCOMES, view};

/// A few lines.
pub(super) fn of(watch: &Watch, palette: Palette) -> Vec<Line<'static>> {
    let counts = &watch.counts;
    let records = match counts.span {
        Some((first, last)) => {
            format!("{} from {} to {}", counts.records, time(first), time(last))
        }
        None => counts.records.to_string(),
    };
    let denials = match counts.denials.peak {
        Some((most, at)) => format!("at worst {most} in the minute before {}", time(at)),
        None => "none".to_owned(),
    };
    let mut lines = vec![
        titled("records", vec![Span::raw(records)]),
        titled("outcomes", outcomes(watch, palette)),
        titled("severities", severities(watch, palette)),
        titled("denials", vec![Span::raw(denials)]),
        titled("findings", vec![Span::raw(findings(watch))]),
    ];
    if let Some(last) = watch.findings.back() {
        lines.push(titled("the last", view::whole(last, palette).spans));
    }
    let trouble = trouble(watch);
    if !trouble.is_empty() {
        lines.push(titled(
            "trouble",
            vec![Span::styled(trouble, palette.trouble())],
        ));
    }
    lines
}

fn titled(title: &str, mut spans: Vec<Span<'static>>) -> Line<'static> {
    spans.insert(0, Span::raw(format!("{title:11}")));
    Line::from(spans)
}

pub(super) fn outcomes(watch: &Watch, palette: Palette) -> Vec<Span<'static>> {
    let counts = OUTCOMES.into_iter().zip(watch.counts.outcomes);
    counted(
        counts.map(|(name, count)| (name, count, palette.outcome(name))),
        palette,
    )
}

pub(super) fn severities(watch: &Watch, palette: Palette) -> Vec<Span<'static>> {
    let counts = Severity::ALL.into_iter().zip(watch.counts.severities);
    let counts = counts.map(|(one, count)| (one.name(), count, palette.severity(Some(one))));
    counted(counts, palette)
}

/// Those that there are none of are not to be seen first.
fn counted(
    counts: impl Iterator<Item = (&'static str, u64, ratatui::style::Style)>,
    palette: Palette,
) -> Vec<Span<'static>> {
    let span = |(name, count, style)| {
        let style = if count > 0 { style } else { palette.dim() };
        Span::styled(format!("{name} {count}   "), style)
    };
    counts.map(span).collect()
}

pub(super) fn findings(watch: &Watch) -> String {
    let counts = &watch.counts;
    format!("anomalies {}   alerts {}", counts.anomalies, counts.alerts)
}

/// What is wrong with the log; nothing if nothing is.
pub(super) fn trouble(watch: &Watch) -> String {
    let counts = &watch.counts;
    let mut parts = Vec::new();
    if counts.gaps > 0 {
        let (gaps, missing) = (counts.gaps, counts.missing);
        parts.push(format!("gaps {gaps} ({missing} records missing)"));
    }
    if counts.bad > 0 {
        parts.push(format!("lines that are no records {}", counts.bad));
    }
    if counts.replaced > 0 {
        parts.push(format!("cut or replaced {}", counts.replaced));
    }
    parts.join("   ")
}

pub(super) fn time(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds);
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, (hour, minute, second)) = (time.date(), time.to_hms());
    format!("{date} {hour:02}:{minute:02}:{second:02}")
}
