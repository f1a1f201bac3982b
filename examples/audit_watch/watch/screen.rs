//! The screen, and the keys that it takes.

mod draw;

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bartizan::audit::Severity;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers},
};

use super::{
    BETWEEN, Failure, Palette, Watch, record,
    tail::{Seen, Tail},
};

/// What is looked at.
pub(crate) struct Screen {
    title: String,
    palette: Palette,
    least: Severity,
    /// The lowest row that is shown, if the newest is not.
    held: Option<u64>,
    /// Rows that there is room for, as was found when it was drawn last.
    rows: usize,
}

pub(super) fn run(
    watch: &mut Watch,
    tail: &mut Tail,
    path: &Path,
    palette: Palette,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    let mut screen = Screen::new(path, palette, watch.filter.severity);
    let ended = match ratatui::try_init() {
        Ok(mut terminal) => screen.run(&mut terminal, watch, tail, stop),
        Err(error) => Err(error.into()),
    };
    // What is left of it would hide the reason.
    ratatui::restore();
    ended
}

impl Screen {
    pub(crate) fn new(path: &Path, palette: Palette, least: Severity) -> Self {
        Self {
            title: record::shown(&path.to_string_lossy(), 80),
            palette,
            least,
            held: None,
            rows: 0,
        }
    }

    fn run(
        &mut self,
        terminal: &mut DefaultTerminal,
        watch: &mut Watch,
        tail: &mut Tail,
        stop: &AtomicBool,
    ) -> Result<(), Failure> {
        while !stop.load(Relaxed) {
            let mut take = |seen: Seen<'_>| {
                watch.take(seen);
            };
            let is_more = tail.poll(&mut take).map_err(Failure::Log)?;
            terminal.draw(|frame| self.draw(frame, watch, now()))?;
            let mut wait = if is_more { Duration::ZERO } else { BETWEEN };
            while event::poll(wait)? {
                wait = Duration::ZERO;
                if let Event::Key(key) = event::read()?
                    && key.is_press()
                    && self.is_over(key, watch)
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes a key; whether that was all.
    pub(crate) fn is_over(&mut self, key: KeyEvent, watch: &Watch) -> bool {
        let is_ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let page = self.rows.saturating_sub(1).max(1);
        match key.code {
            KeyCode::Char('c') if is_ctrl => return true,
            KeyCode::Char('q') => return true,
            KeyCode::Char(digit @ '1'..='5') => {
                let place = digit
                    .to_digit(10)
                    .and_then(|digit| usize::try_from(digit - 1).ok());
                let severity = place.and_then(|place| Severity::ALL.get(place));
                self.least = severity.copied().unwrap_or(self.least);
            }
            KeyCode::Char(' ') if self.held.is_none() => self.back(watch, 0),
            KeyCode::Char(' ') | KeyCode::End | KeyCode::Esc => self.held = None,
            KeyCode::Up => self.back(watch, 1),
            KeyCode::PageUp => self.back(watch, page),
            KeyCode::Down => self.on(watch, 1),
            KeyCode::PageDown => self.on(watch, page),
            KeyCode::Home => self.held = watch.rows.front().map(|row| row.number),
            _ => {}
        }
        false
    }

    fn back(&mut self, watch: &Watch, rows: usize) {
        let up_to = self.held.unwrap_or(u64::MAX);
        let shown = watch.shown(self.least, up_to, rows + 1);
        self.held = shown.first().map(|row| row.number);
    }

    fn on(&mut self, watch: &Watch, rows: usize) {
        let Some(held) = self.held else {
            return;
        };
        let newer = watch.rows.iter();
        let mut newer = newer.filter(|row| row.number > held && row.is_from(self.least));
        self.held = newer.nth(rows.saturating_sub(1)).map(|row| row.number);
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}
