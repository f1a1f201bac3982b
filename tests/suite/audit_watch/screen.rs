//! What stands on the screen, and what the keys do.

use std::path::Path;

use bartizan::audit::Severity;
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};
use serde_json::json;

use super::{
    HOSTILE, day, record, refused,
    watch::{filter::Filter, screen::Screen, state::Watch, tail::Seen, view::Palette},
};

/// Seconds since 1970 at 15:09:30 of the day.
const NOW: i64 = 1_795_446_570;

struct Scene {
    watch: Watch,
    screen: Screen,
    terminal: Terminal<TestBackend>,
}

impl Scene {
    fn new(lines: &[String]) -> Self {
        let palette = Palette { has_colours: true };
        let path = Path::new("logs/a\u{1b}[31m.log");
        let mut scene = Self {
            watch: Watch::new(Filter::default()),
            screen: Screen::new(path, palette, Severity::Info),
            terminal: Terminal::new(TestBackend::new(160, 30)).unwrap(),
        };
        scene.take(lines);
        scene
    }

    fn take(&mut self, lines: &[String]) {
        for line in lines {
            self.watch.take(Seen::Line(line.as_bytes()));
        }
    }

    /// The lines of the screen.
    fn drawn(&mut self) -> Vec<String> {
        let (watch, screen) = (&self.watch, &mut self.screen);
        self.terminal
            .draw(|frame| screen.draw(frame, watch, NOW))
            .unwrap();
        let buffer = self.terminal.backend().buffer();
        let rows = buffer.content.chunks(usize::from(buffer.area.width));
        rows.map(|row| {
            row.iter()
                .map(|cell| cell.symbol())
                .collect::<String>()
                .trim_end()
                .to_owned()
        })
        .collect()
    }

    fn press(&mut self, key: KeyCode) -> bool {
        self.screen
            .is_over(KeyEvent::new(key, KeyModifiers::NONE), &self.watch)
    }

    /// The tools of the records that are shown.
    fn tools(&mut self) -> Vec<String> {
        let drawn = self.drawn();
        let rows = drawn
            .iter()
            .skip_while(|line| !line.starts_with(" records "));
        let rows = rows.skip(1).take_while(|line| line.starts_with("15:"));
        rows.map(|line| line.split_whitespace().nth(4).unwrap().to_owned())
            .collect()
    }
}

fn numbered(count: usize) -> Vec<String> {
    let tool = |n: usize| {
        record(
            "tool_call",
            if n.is_multiple_of(2) {
                "info"
            } else {
                "warning"
            },
            json!({"tool_name": format!("t{n}")}),
        )
    };
    (0..count).map(tool).collect()
}

#[test]
fn counts_denials_findings_and_records_are_seen_at_once() {
    let mut scene = Scene::new(&day());
    scene.take(&[refused("eve", "delete_all", "15:09:25")]);
    let found = json!({"detector": "rate", "feature": "calls", "value": "700", "baseline": "12"});
    scene.take(&[record(
        "anomaly",
        "critical",
        json!({"outcome": null, "metadata": {"found": found}}),
    )]);
    let drawn = scene.drawn();
    assert!(
        drawn[0].contains("logs/a\\u{1b}[31m.log   from info on"),
        "{}",
        drawn[0]
    );
    assert!(
        drawn[1].contains("admitted 1   refused 4   failed 1"),
        "{}",
        drawn[1]
    );
    assert!(
        drawn[2].contains("warning 4   error 1   critical 1"),
        "{}",
        drawn[2]
    );
    // 15:09:00 and 15:09:25.
    assert!(drawn[3].contains("2 in the last minute"), "{}", drawn[3]);
    assert!(
        drawn[3].contains('█') && drawn[3].contains("at worst 2 before"),
        "{}",
        drawn[3]
    );
    assert!(
        drawn[4].contains("8 records   anomalies 1   alerts 0"),
        "{}",
        drawn[4]
    );
    assert!(
        drawn[6].contains("rate: calls is 700, usual is 12"),
        "{}",
        drawn[6]
    );
    assert!(
        drawn
            .iter()
            .any(|line| line.contains("forbidden: lacks role `admin`"))
    );
}

#[test]
fn a_digit_chooses_the_severity_also_of_what_came_before() {
    let mut scene = Scene::new(&numbered(6));
    assert_eq!(scene.tools(), ["t0", "t1", "t2", "t3", "t4", "t5"]);
    assert!(!scene.press(KeyCode::Char('3')));
    assert_eq!(scene.tools(), ["t1", "t3", "t5"]);
    assert!(!scene.press(KeyCode::Char('1')));
    assert_eq!(scene.tools().len(), 6);
}

#[test]
fn what_is_held_stays_while_others_come() {
    let mut scene = Scene::new(&numbered(100));
    let room = scene.tools().len();
    assert_eq!(scene.tools().last().unwrap(), "t99");
    scene.press(KeyCode::Char(' '));
    scene.take(&numbered(30));
    assert_eq!(scene.tools().last().unwrap(), "t99");
    let drawn = scene.drawn();
    assert!(drawn[0].contains("HELD"), "{}", drawn[0]);
    assert!(
        drawn
            .iter()
            .any(|line| line.contains("t99   success 200   c-1")),
        "its details"
    );
    scene.press(KeyCode::Up);
    assert_eq!(scene.tools().last().unwrap(), "t98");
    scene.press(KeyCode::PageUp);
    let page = scene.tools();
    assert!(room > page.len() && page.last().unwrap() < &"t90".to_owned());
    scene.press(KeyCode::Home);
    assert_eq!(scene.tools(), ["t0"]);
    scene.press(KeyCode::Down);
    assert_eq!(scene.tools(), ["t0", "t1"]);
    scene.press(KeyCode::End);
    assert_eq!(scene.tools().last().unwrap(), "t29");
    assert!(!scene.press(KeyCode::Down));
    assert!(scene.press(KeyCode::Char('q')));
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert!(scene.screen.is_over(interrupt, &scene.watch));
}

#[test]
fn no_cell_holds_what_steers_a_terminal_on_screens_of_any_size() {
    let hostile = record(
        HOSTILE,
        HOSTILE,
        json!({"user_id": HOSTILE, "tool_name": HOSTILE, "correlation_id": HOSTILE}),
    );
    for (columns, rows) in [(160, 30), (80, 24), (20, 5), (1, 1)] {
        let mut scene = Scene::new(&[hostile.clone(), HOSTILE.to_owned(), hostile.clone()]);
        scene.terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        scene.drawn();
        scene.press(KeyCode::Up);
        let drawn = scene.drawn().concat();
        let is_plain = |c: char| matches!(c, ' '..='~' | '…' | '─' | '▁'..='█');
        assert!(drawn.chars().all(is_plain), "{drawn:?}");
    }
}

#[test]
fn what_is_kept_is_bounded_and_the_counts_are_whole() {
    let mut scene = Scene::new(&[]);
    for _ in 0..60 {
        scene.take(&numbered(100));
        scene.take(&[record("alert", "error", json!({}))]);
    }
    assert_eq!(
        (scene.watch.rows.len(), scene.watch.findings.len()),
        (5000, 50)
    );
    assert_eq!(scene.watch.counts.records, 6060);
}
