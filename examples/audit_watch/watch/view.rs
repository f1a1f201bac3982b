//! How a line looks: words first, so that it reads without colours too.

use bartizan::audit::Severity;
use ratatui::{
    style::{Color, Modifier, Style},
    text::{Line, Span},
};

use super::row::{Kind, Row};

/// Whether there are colours. Bold and reversed are none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Palette {
    pub(crate) has_colours: bool,
}

impl Palette {
    pub(super) fn severity(self, severity: Option<Severity>) -> Style {
        match severity {
            Some(Severity::Info) => Style::new(),
            Some(Severity::Notice) => self.colour(Color::Cyan),
            Some(Severity::Warning) => self.colour(Color::Yellow),
            Some(Severity::Error) => self.colour(Color::Red),
            _ => self.colour(Color::LightRed).add_modifier(Modifier::BOLD),
        }
    }

    pub(super) fn outcome(self, outcome: &str) -> Style {
        match outcome {
            "admitted" => self.colour(Color::Green),
            "refused" => self.colour(Color::Yellow),
            "failed" | "panicked" => self.colour(Color::Red),
            _ => Style::new(),
        }
    }

    pub(super) fn trouble(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        match self.has_colours {
            true => style.fg(Color::Black).bg(Color::Yellow),
            false => style.add_modifier(Modifier::REVERSED),
        }
    }

    pub(super) fn dim(self) -> Style {
        match self.has_colours {
            true => Style::new().fg(Color::DarkGray),
            false => Style::new().add_modifier(Modifier::DIM),
        }
    }

    pub(super) fn colour(self, colour: Color) -> Style {
        match self.has_colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }
}

/// How wide time, event, user, tool and result are.
type Widths = [usize; 5];
const WHOLE: Widths = [23, 22, 28, 18, 13];
const WIDE: Widths = [12, 22, 28, 18, 13];
const NARROW: Widths = [8, 20, 16, 14, 12];

/// From so many columns on there is room for wide ones.
const ROOMY: usize = 120;

/// The row with a date, and nothing cut: for a file or a pipe.
pub(super) fn whole(row: &Row, palette: Palette) -> Line<'static> {
    line(row, palette, &row.time, WHOLE, usize::MAX)
}

/// The row without a date, in so many columns, and so that its correlation id is seen where there is room.
pub(super) fn fitted(row: &Row, palette: Palette, columns: usize) -> Line<'static> {
    let widths = if columns < ROOMY { NARROW } else { WIDE };
    let time = row.time.get(11..).unwrap_or(&row.time);
    let time = time.get(..widths[0]).unwrap_or(time);
    line(row, palette, time, widths, columns)
}

fn line(row: &Row, palette: Palette, time: &str, widths: Widths, columns: usize) -> Line<'static> {
    let mark = mark(row);
    let is_whole = columns == usize::MAX;
    let cell = |text: &str, width: usize| match is_whole {
        true => format!("{text:width$} "),
        false => format!("{:width$} ", cut(text, width)),
    };
    let [at, event, who, what, result] = widths;
    let head = cell(time, at);
    let mut rest = cell(&row.event, event);
    // On a narrow screen what was found is worth more than of whom, which the details show.
    let has_who = row.kind == Kind::Usual || (row.kind == Kind::Finding && columns >= ROOMY);
    if has_who {
        rest += &cell(&row.who, who);
        rest += &cell(&row.what, what);
    }
    let result = match row.kind {
        Kind::Usual => cell(&row.result, result),
        _ => String::new(),
    };
    let id = match &*row.correlation {
        "" => String::new(),
        id => format!("  {id}"),
    };
    let used = at + 7 + rest.chars().count() + result.chars().count() + id.len();
    let left = match columns.saturating_sub(used) {
        left if left < 24 || row.kind != Kind::Usual => usize::MAX,
        left => left,
    };
    let reason = cut(&row.reason, left);
    let of_severity = palette.severity(row.severity);
    let (mark_style, rest_style) = match row.kind {
        Kind::Trouble => (palette.trouble(), palette.trouble()),
        Kind::Remark => (palette.dim(), palette.dim()),
        Kind::Finding => {
            let bold = of_severity.add_modifier(Modifier::BOLD);
            (bold.add_modifier(Modifier::REVERSED), bold)
        }
        Kind::Usual => (of_severity, Style::new()),
    };
    let mut spans = vec![
        Span::styled(head, palette.dim()),
        Span::styled(format!("{mark:5}"), mark_style),
        Span::raw(" "),
        Span::styled(rest, rest_style),
    ];
    match row.kind {
        Kind::Usual => spans.extend([Span::styled(result, of_severity), Span::raw(reason)]),
        _ => spans.push(Span::styled(reason, rest_style)),
    }
    spans.push(Span::styled(id, palette.dim()));
    Line::from(spans)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => {
            text.chars()
                .take(most.saturating_sub(1))
                .collect::<String>()
                + "…"
        }
        None => text.to_owned(),
    }
}

fn mark(row: &Row) -> &'static str {
    match (row.kind, row.severity) {
        (Kind::Trouble, _) => "!!!",
        (Kind::Remark, _) => "-",
        (_, Some(Severity::Info)) => "info",
        (_, Some(Severity::Notice)) => "note",
        (_, Some(Severity::Warning)) => "WARN",
        (_, Some(Severity::Error)) => "ERROR",
        (_, Some(Severity::Critical)) => "CRIT",
        _ => "?",
    }
}
