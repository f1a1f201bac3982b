//! The example `audit_watch`: what is shown of a log, and that nothing in it steers a terminal.

mod program;
mod real;
mod screen;
mod tail;

use std::{ffi::OsString, fs, path::Path, sync::atomic::AtomicBool};

use serde_json::{Value, json};
use tempfile::TempDir;

#[path = "../../examples/audit_watch/watch/mod.rs"]
mod watch;

use watch::{Failure, Outputs};

/// A line of a log.
fn record(event: &str, severity: &str, more: Value) -> String {
    let mut record = json!({
        "schema": 2,
        "timestamp": "2026-11-23T15:00:51.250000Z",
        "event_type": event,
        "severity": severity,
        "classes": [],
        "user_id": "ann",
        "tool_name": "read_note",
        "action": "tools/call",
        "result": "success",
        "ip_address": "192.0.2.7",
        "correlation_id": "c-1",
        "outcome": "admitted",
        "status": 200,
        "findings": [],
        "metadata": {},
    });
    for (name, value) in more.as_object().unwrap() {
        record[name] = value.clone();
    }
    record.to_string()
}

fn refused(user: &str, tool: &str, at: &str) -> String {
    let reason = json!({"layer": "rbac", "verdict": "refused", "kind": "forbidden", "reason": "lacks role `admin`"});
    let more = json!({
        "user_id": user, "tool_name": tool, "timestamp": format!("2026-11-23T{at}.000000Z"), "outcome": "refused",
        "result": "failure", "status": 403, "findings": [reason], "classes": ["authorization_denied"],
    });
    record("authorization_denied", "warning", more)
}

fn log(lines: &[String]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("audit.log"), lines.join("\n") + "\n").unwrap();
    folder
}

/// What `--once` shows of it, and what it says besides.
fn once(folder: &TempDir, arguments: &[&str]) -> (String, String, Result<(), Failure>) {
    let log = folder.path().join("audit.log");
    let arguments = arguments.iter().map(OsString::from);
    let arguments = arguments.chain(["--once".into(), log.into()]);
    let (mut out, mut said) = (Vec::new(), Vec::new());
    let outputs = Outputs {
        out: &mut out,
        said: &mut said,
        is_terminal: false,
        has_colours: false,
    };
    let ended = watch::run(arguments, outputs, &AtomicBool::new(false));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(out), text(said), ended)
}

fn shown(lines: &[String], arguments: &[&str]) -> String {
    let (out, said, ended) = once(&log(lines), arguments);
    ended.unwrap();
    assert_eq!(said, "");
    out
}

fn summary(out: &str, title: &str) -> String {
    let lines = out.lines().skip_while(|line| !line.is_empty());
    let mut found = lines.filter_map(|line| line.strip_prefix(title));
    found.next().unwrap_or_default().trim().to_owned()
}

fn day() -> Vec<String> {
    vec![
        record("tool_call", "info", json!({})),
        refused("bob", "delete_note", "15:00:52"),
        refused("ann", "delete_note", "15:01:10"),
        refused("ann", "delete_all", "15:09:00"),
        record(
            "tool_call",
            "error",
            json!({"outcome": "failed", "status": 500, "result": "error"}),
        ),
        record(
            "system_event",
            "notice",
            json!({
                "outcome": null, "status": null, "user_id": null, "ip_address": null, "tool_name": null, "action": null,
                "metadata": {"layer": "jwt", "detail": "keys refreshed"},
            }),
        ),
    ]
}

#[test]
fn each_record_is_a_line_and_the_summary_counts_outcomes_and_severities() {
    let out = shown(&day(), &[]);
    let lines: Vec<_> = out.lines().collect();
    let words = |at: usize| lines[at].split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        words(0),
        "2026-11-23 15:00:51.250 info tool_call ann@192.0.2.7 read_note success 200 c-1"
    );
    assert_eq!(
        words(1),
        "2026-11-23 15:00:52.000 WARN authorization_denied bob@192.0.2.7 delete_note refused 403 \
         forbidden: lacks role `admin` c-1"
    );
    assert!(
        words(4).contains("ERROR tool_call ann@192.0.2.7 read_note failed 500"),
        "{out}"
    );
    assert!(
        words(5).contains("note system_event success jwt: keys refreshed"),
        "{out}"
    );
    assert_eq!(
        summary(&out, "records"),
        "6 from 2026-11-23 15:00:51 to 2026-11-23 15:09:00"
    );
    let outcomes = "admitted 1   refused 3   failed 1   panicked 0   aborted 0   no outcome 1";
    assert_eq!(summary(&out, "outcomes"), outcomes);
    let severities = "info 1   notice 1   warning 3   error 1   critical 0";
    assert_eq!(summary(&out, "severities"), severities);
    let denials = "at worst 2 in the minute before 2026-11-23 15:01:10";
    assert_eq!(summary(&out, "denials"), denials);
    assert!(!out.contains("trouble"), "{out}");
}

#[test]
fn the_severity_hides_lines_and_no_counts() {
    let out = shown(&day(), &["--severity", "warning"]);
    assert_eq!(out.lines().take_while(|line| !line.is_empty()).count(), 4);
    assert!(!out.contains("keys refreshed"));
    assert!(summary(&out, "severities").starts_with("info 1   notice 1   warning 3"));
    // One of a later version may matter more than all that are known.
    let out = shown(
        &[record("tool_call", "fatal", json!({}))],
        &["--severity", "critical"],
    );
    assert!(out.contains("?     tool_call"), "{out}");
}

#[test]
fn user_tool_and_class_narrow_what_is_counted() {
    let mut lines = day();
    let gap = json!({"user_id": null, "metadata": {"missing_refused": 3, "missing_passed": 0, "missing_folded": 4}});
    lines.push(record("audit_gap", "error", gap));
    for (arguments, count) in [
        (&["--user", "ann"][..], 4 + 1),
        (&["--user", "bob", "--user", "carl"], 1 + 1),
        (&["--user", "ann", "--tool", "delete_*"], 2 + 1),
        (&["--tool", "delete"], 1),
        (&["--class", "authorization_denied"], 3 + 1),
        (&["--class", "system_event"], 1 + 1),
    ] {
        let out = shown(&lines, arguments);
        // A gap may be of any of them.
        assert!(out.contains("!!!   audit_gap"), "{arguments:?}: {out}");
        assert!(
            out.contains("without a record: 3 refused, 4 folded"),
            "{out}"
        );
        let records = summary(&out, "records");
        assert!(
            records.starts_with(&format!("{count} ")),
            "{arguments:?}: {records}"
        );
        assert_eq!(summary(&out, "trouble"), "gaps 1 (7 records missing)");
    }
}

#[test]
fn anomalies_and_alerts_say_what_was_found_and_what_is_usual() {
    let found = json!({"detector": "rate", "feature": "requests_per_minute", "value": "700", "baseline": "12", "about": "ann"});
    let anomaly =
        json!({"outcome": null, "status": null, "result": "found", "metadata": {"found": found}});
    let raised = json!({"found": {"rule": "honey", "count": 3, "about": "bob"}, "detail": "a decoy was called"});
    let alert = json!({"outcome": null, "status": null, "result": "raised", "metadata": raised});
    let lines = [
        record("anomaly", "error", anomaly),
        record("alert", "critical", alert),
    ];
    let out = shown(&lines, &["--severity", "notice"]);
    assert!(
        out.contains("rate: requests_per_minute is 700, usual is 12, of ann"),
        "{out}"
    );
    assert!(out.contains("CRIT  alert"), "{out}");
    assert!(
        out.contains("honey (3 times): bob: a decoy was called"),
        "{out}"
    );
    assert_eq!(summary(&out, "findings"), "anomalies 1   alerts 1");
    assert!(summary(&out, "the last").contains("honey"), "{out}");
}

/// What a terminal, or whoever looks at it, takes for something else than it is.
const HOSTILE: &str = "a\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\r\u{8}\u{202e}\u{200b}\u{7f}\n\u{e0041}é";

#[test]
fn nothing_that_stands_in_a_log_steers_a_terminal() {
    let mut hostile =
        json!({"findings": [{"verdict": "refused", "kind": HOSTILE, "reason": HOSTILE}]});
    for name in [
        "user_id",
        "tool_name",
        "ip_address",
        "correlation_id",
        "outcome",
        "result",
        "severity",
        "timestamp",
    ] {
        hostile[name] = HOSTILE.into();
    }
    let found = json!({"detector": HOSTILE, "feature": HOSTILE, "value": HOSTILE, "baseline": [HOSTILE], "rule": HOSTILE,
        "about": {HOSTILE: HOSTILE}, "count": HOSTILE});
    let found = json!({"metadata": {"found": found, "detail": HOSTILE, "layer": HOSTILE}, "timestamp": HOSTILE});
    let lines = [
        record(HOSTILE, HOSTILE, hostile),
        record("anomaly", "error", found.clone()),
        record("alert", "error", found.clone()),
        record("system_event", "error", found),
        json!({"event_type": "audit_checkpoint", "checkpoint": {"timestamp": HOSTILE, "seq": HOSTILE}}).to_string(),
        HOSTILE.to_owned(),
        "{\"event_type\":\u{9b}}".to_owned(),
    ];
    let folder = log(&lines);
    let path = folder.path().join("audit.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend(b"\xff\x1b[31m\xc2\x9b\n");
    fs::write(&path, bytes).unwrap();
    let is_plain = |c: char| matches!(c, ' '..='~' | '\n' | '…');
    for arguments in [&[][..], &["--json"], &["--severity", "critical"]] {
        let (out, said, ended) = once(&folder, arguments);
        ended.unwrap();
        assert!(out.chars().all(is_plain), "{arguments:?}: {out:?}");
        assert!(said.chars().all(is_plain), "{arguments:?}: {said:?}");
    }
    let (out, ..) = once(&folder, &[]);
    assert!(out.contains("a\\u{1b}[2J"), "it is shown: {out}");
    // The two halves of what holds a line's end are no records either.
    assert_eq!(summary(&out, "trouble"), "lines that are no records 4");
}

#[test]
fn as_json_the_same_records_come_out_and_what_is_none_is_said_besides() {
    let mut lines = vec![
        record("tool_call", "info", json!({"user_id": "J\u{fc}rgen"})),
        "{".to_owned(),
    ];
    lines.extend(day());
    let (out, said, ended) = once(&log(&lines), &["--json", "--severity", "warning"]);
    ended.unwrap();
    let records = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let wanted: Vec<Value> = day()[1..5]
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records.collect::<Vec<_>>(), wanted);
    assert!(
        said.contains("no record") && said.lines().count() == 1,
        "{said}"
    );
    let (out, ..) = once(&log(&lines), &["--json", "--user", "J*"]);
    let read: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (out.is_ascii(), read["user_id"].as_str()),
        (true, Some("J\u{fc}rgen"))
    );
}

#[test]
fn what_can_t_be_is_told_by_the_exit_code() {
    let folder = log(&day());
    for wrong in [
        &["--severity", "loud"][..],
        &["--class", "authorisation_denied"],
        &["--last", "some"],
        &["--nothing"],
        &["another.log"],
    ] {
        let (out, _, ended) = once(&folder, wrong);
        assert_eq!((&*out, ended.unwrap_err().code()), ("", 2), "{wrong:?}");
    }
    fs::remove_file(folder.path().join("audit.log")).unwrap();
    assert_eq!(once(&folder, &[]).2.unwrap_err().code(), 3);
    fs::create_dir(folder.path().join("audit.log")).unwrap();
    assert_eq!(once(&folder, &[]).2.unwrap_err().code(), 3);
    let (out, ..) = once(&folder, &["--help"]);
    assert!(out.starts_with("usage: audit_watch"));
}

/// Nobody reads it any more.
struct Closed;

impl std::io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_nobody_reads_is_told_from_one_that_fails() {
    let folder = log(&day());
    let path = folder.path().join("audit.log");
    let outputs = Outputs {
        out: Closed,
        said: Vec::new(),
        is_terminal: false,
        has_colours: false,
    };
    let ended = watch::run(
        ["--once".into(), path.into()],
        outputs,
        &AtomicBool::new(false),
    );
    assert!(ended.unwrap_err().is_enough());
    fs::remove_file(folder.path().join("audit.log")).unwrap();
    assert!(!once(&folder, &[]).2.unwrap_err().is_enough());
}

fn append(path: &Path, text: &str) {
    use std::io::Write as _;
    let file = fs::OpenOptions::new().append(true).create(true).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}
