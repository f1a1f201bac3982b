//! Where what stands.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::{Line, Span, Text},
    widgets::{Block, Borders, Paragraph, Sparkline, Wrap},
};

use super::super::{Watch, record::shown, row::Row, summary, view};
use super::Screen;

/// Anomalies and alerts that are seen at once.
const FINDINGS: usize = 5;

/// Minutes of denials.
const MINUTES: usize = 30;

impl Screen {
    pub(crate) fn draw(&mut self, frame: &mut Frame<'_>, watch: &Watch, now: i64) {
        let findings = watch.findings.len().min(FINDINGS);
        let findings = u16::try_from(findings + usize::from(findings > 0)).unwrap_or(0);
        let details = if self.held.is_some() { 4 } else { 0 };
        let areas = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(4),
            Constraint::Length(findings),
            Constraint::Min(2),
            Constraint::Length(details),
            Constraint::Length(1),
        ]);
        let [title, counts, findings, rows, details, keys] = areas.areas(frame.area());
        self.title(frame, title, watch);
        self.counts(frame, counts, watch, now);
        self.findings(frame, findings, watch);
        self.rows(frame, rows, details, watch);
        let help = " q ends   1-5 severity   space holds   up, down, page, home, end";
        frame.render_widget(Line::styled(help, self.palette.dim()), keys);
    }

    fn title(&self, frame: &mut Frame<'_>, area: Rect, watch: &Watch) {
        let mut text = format!(" {}   from {} on", self.title, self.least.name());
        let filter = &watch.filter;
        for (name, wanted) in [
            ("class", &filter.classes),
            ("user", &filter.users),
            ("tool", &filter.tools),
        ] {
            if !wanted.is_empty() {
                let wanted = shown(&wanted.join(", "), 60);
                text.push_str(&format!("   {name} {wanted}"));
            }
        }
        let held = if self.held.is_some() { "   HELD" } else { "" };
        let style = Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
        frame.render_widget(Paragraph::new(text + held).style(style), area);
    }

    fn counts(&self, frame: &mut Frame<'_>, area: Rect, watch: &Watch, now: i64) {
        let [outcomes, severities, denials, log] =
            Layout::vertical([Constraint::Length(1); 4]).areas(area);
        let titled = |title: &str, mut spans: Vec<Span<'static>>| {
            spans.insert(0, Span::raw(format!(" {title:11}")));
            Line::from(spans)
        };
        let line = titled("outcomes", summary::outcomes(watch, self.palette));
        frame.render_widget(line, outcomes);
        let line = titled("severities", summary::severities(watch, self.palette));
        frame.render_widget(line, severities);

        let counted = &watch.counts.denials;
        let minutes = counted.minutes(now, MINUTES);
        let columns = u16::try_from(minutes.len()).unwrap_or(0);
        let [left, bars, right] = Layout::horizontal([
            Constraint::Length(36),
            Constraint::Length(columns),
            Constraint::Min(0),
        ])
        .areas(denials);
        let minute = counted.minute(now);
        let style = if minute > 0 {
            self.palette.outcome("refused")
        } else {
            self.palette.dim()
        };
        let text = Span::styled(format!("{minute} in the last minute"), style);
        frame.render_widget(titled("denials", vec![text]), left);
        let style = self.palette.outcome("refused");
        frame.render_widget(Sparkline::default().data(minutes).style(style), bars);
        let peak = match counted.peak {
            Some((most, at)) => format!(
                "  {MINUTES} minutes; at worst {most} before {}",
                summary::time(at)
            ),
            None => String::new(),
        };
        frame.render_widget(Line::styled(peak, self.palette.dim()), right);

        let trouble = summary::trouble(watch);
        let records = Span::raw(format!(
            "{} records   {}   ",
            watch.counts.records,
            summary::findings(watch)
        ));
        let trouble = Span::styled(trouble, self.palette.trouble());
        frame.render_widget(titled("log", vec![records, trouble]), log);
    }

    fn findings(&self, frame: &mut Frame<'_>, area: Rect, watch: &Watch) {
        let block = Block::new()
            .borders(Borders::TOP)
            .title(" anomalies and alerts, the newest first ");
        let inner = block.inner(area);
        let newest = watch.findings.iter().rev().take(usize::from(inner.height));
        let lines: Vec<_> = newest.map(|row| self.line(row, inner)).collect();
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }

    fn rows(&mut self, frame: &mut Frame<'_>, area: Rect, details: Rect, watch: &Watch) {
        let block = Block::new().borders(Borders::TOP).title(" records ");
        let inner = block.inner(area);
        self.rows = usize::from(inner.height);
        let shown = watch.shown(self.least, self.held.unwrap_or(u64::MAX), self.rows);
        let mut lines: Vec<_> = shown.iter().map(|row| self.line(row, inner)).collect();
        if self.held.is_some() {
            if let Some(last) = lines.pop() {
                lines.push(last.patch_style(Modifier::REVERSED));
            }
            if let Some(row) = shown.last() {
                self.details(frame, details, row);
            }
        }
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }

    /// All that is known of the row that is held.
    fn details(&self, frame: &mut Frame<'_>, area: Rect, row: &Row) {
        let block = Block::new().borders(Borders::TOP);
        let words = [
            &row.time,
            &row.event,
            &row.who,
            &row.what,
            &row.result,
            &row.correlation,
        ];
        let words: Vec<_> = words
            .into_iter()
            .filter(|word| !word.is_empty())
            .map(String::as_str)
            .collect();
        let text = Text::from(vec![
            Line::from(words.join("   ")),
            Line::from(row.reason.clone()),
        ]);
        let text = Paragraph::new(text).wrap(Wrap { trim: true }).block(block);
        frame.render_widget(text, area);
    }

    fn line(&self, row: &Row, area: Rect) -> Line<'static> {
        view::fitted(row, self.palette, usize::from(area.width))
    }
}
