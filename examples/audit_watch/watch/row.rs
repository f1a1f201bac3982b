//! What is shown of one line: short, and nothing that steers a terminal.

use bartizan::audit::Severity;

use super::{
    record::{Record, seconds, shown},
    tail::{MOST_LINE, Seen},
};

/// What sort of line it is, by how it is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Usual,
    /// A detector's, or an alert.
    Finding,
    /// Something about the log itself that nobody may miss.
    Trouble,
    /// Something about the log itself that has to be.
    Remark,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Its place among those that were taken.
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    pub(crate) is_record: bool,
    pub(crate) severity: Option<Severity>,
    /// `2026-11-23 15:00:51.000`.
    pub(crate) time: String,
    pub(crate) event: String,
    /// `user@address`.
    pub(crate) who: String,
    /// The tool, or what else was asked for.
    pub(crate) what: String,
    pub(crate) result: String,
    pub(crate) reason: String,
    pub(crate) correlation: String,
}

/// Most characters of a reason.
const MOST_REASON: usize = 240;

impl Row {
    pub(super) fn of(record: &Record) -> Self {
        let event = record.event_type();
        let kind = match event {
            "anomaly" | "alert" => Kind::Finding,
            "audit_gap" => Kind::Trouble,
            "audit_checkpoint" => Kind::Remark,
            _ => Kind::Usual,
        };
        let text = |path, most| record.shown(path, most).unwrap_or_default();
        let first = |paths: &[&str]| paths.iter().find_map(|path| record.shown(path, 48));
        let asked = [
            "tool_name",
            "resource_id",
            "metadata.prompt",
            "metadata.task",
            "action",
        ];
        Self {
            number: 0,
            kind,
            is_record: true,
            severity: record.severity(),
            time: time(record),
            event: shown(event, 32),
            who: who(record),
            what: first(&asked).unwrap_or_default(),
            result: result(record),
            reason: reason(record, event),
            correlation: text("correlation_id", 64),
        }
    }

    /// Of what is no record.
    pub(super) fn of_log(seen: Seen<'_>) -> Self {
        let (kind, event, reason) = match seen {
            Seen::Line(line) => {
                let beginning = line.get(..MOST_REASON * 4).unwrap_or(line);
                let text = shown(&String::from_utf8_lossy(beginning), MOST_REASON);
                (Kind::Trouble, "no record", text)
            }
            Seen::TooLong(bytes) => {
                let text = format!("a line of {bytes} bytes, where {MOST_LINE} are the most");
                (Kind::Trouble, "no record", text)
            }
            Seen::Torn(bytes) => {
                let text = format!("{bytes} bytes of a last line that has no end");
                (Kind::Trouble, "torn line", text)
            }
            Seen::Cut => {
                let text = "the file became shorter, and is read anew from its beginning";
                (Kind::Trouble, "file cut", text.to_owned())
            }
            Seen::Replaced => {
                let text =
                    "another file took its place; what came between, if anything, is not seen";
                (Kind::Trouble, "file replaced", text.to_owned())
            }
            Seen::Rotated => (Kind::Remark, "file rotated", String::new()),
            Seen::Absent => (Kind::Remark, "no file", "waits for it".to_owned()),
        };
        Self {
            number: 0,
            kind,
            is_record: false,
            severity: None,
            time: String::new(),
            event: event.to_owned(),
            who: String::new(),
            what: String::new(),
            result: String::new(),
            reason,
            correlation: String::new(),
        }
    }

    /// Whether it is shown from this severity on. One that is not known, and trouble with the log, always is.
    pub(crate) fn is_from(&self, least: Severity) -> bool {
        match (self.kind, self.severity) {
            (Kind::Trouble, _) => true,
            (Kind::Remark, _) => least == Severity::Info,
            (_, Some(severity)) => severity >= least,
            (_, None) => true,
        }
    }
}

fn time(record: &Record) -> String {
    let stamp = record
        .text("timestamp")
        .or(record.text("checkpoint.timestamp"));
    let stamp = stamp.unwrap_or_default();
    match (seconds(stamp), stamp.get(..10), stamp.get(11..23)) {
        (Some(_), Some(date), Some(time)) => shown(&format!("{date} {time}"), 23),
        _ => shown(stamp, 23),
    }
}

fn who(record: &Record) -> String {
    let user = record.shown("user_id", 48);
    let address = record.shown("ip_address", 45);
    match (user, address) {
        (user, Some(address)) => format!("{}@{address}", user.unwrap_or_else(|| "-".to_owned())),
        (Some(user), None) => user,
        (None, None) => String::new(),
    }
}

/// What a guard or the service made of it; of what was admitted, whether it succeeded.
fn result(record: &Record) -> String {
    let word = match record.text("outcome") {
        None | Some("admitted") => record.shown("result", 12),
        Some(_) => record.shown("outcome", 12),
    };
    let word = word.unwrap_or_default();
    match record.number("status") {
        Some(status) => format!("{word} {status}"),
        None => word,
    }
}

fn reason(record: &Record, event: &str) -> String {
    let text = |path: &str| record.shown(path, MOST_REASON);
    let number = |path: &str| record.number(path);
    match event {
        "anomaly" => anomaly(record),
        "alert" => alert(record),
        "audit_checkpoint" => match number("checkpoint.seq") {
            Some(seq) => format!("signs what is up to record {seq}"),
            None => String::new(),
        },
        "audit_gap" => {
            let kinds = ["refused", "passed", "folded"];
            let missing = kinds.map(|kind| {
                let count = number(&format!("metadata.missing_{kind}"))?;
                (count > 0).then(|| format!("{count} {kind}"))
            });
            let missing: Vec<_> = missing.into_iter().flatten().collect();
            let noted = record
                .finding("noted")
                .map(|(_, reason)| shown(reason, MOST_REASON));
            match missing.is_empty() {
                true => noted.unwrap_or_default(),
                false => format!("without a record: {}", missing.join(", ")),
            }
        }
        _ => {
            let finding = record.finding("refused").or(record.finding("noted"));
            let said = finding.map(|(kind, reason)| match reason {
                "" => shown(kind, MOST_REASON),
                reason => shown(&format!("{kind}: {reason}"), MOST_REASON),
            });
            let said = said.or_else(|| text("metadata.denial"));
            let detail = || match (text("metadata.layer"), text("metadata.detail")) {
                (Some(layer), Some(detail)) => Some(format!("{layer}: {detail}")),
                (_, detail) => detail,
            };
            let code = || Some(format!("answered with the error {}", text("rpc_code")?));
            said.or_else(detail).or_else(code).unwrap_or_default()
        }
    }
}

/// Who found what, and what would be usual.
fn anomaly(record: &Record) -> String {
    let found = |name: &str, most| record.shown(&format!("metadata.found.{name}"), most);
    let detector = found("detector", 32).unwrap_or_default();
    let mut text = match found("feature", 32) {
        Some(feature) => format!("{detector}: {feature}"),
        None => detector,
    };
    if let Some(value) = found("value", 80) {
        text.push_str(&format!(" is {value}"));
    }
    if let Some(baseline) = found("baseline", 80) {
        text.push_str(&format!(", usual is {baseline}"));
    }
    if let Some(about) = found("about", 80) {
        text.push_str(&format!(", of {about}"));
    }
    text
}

fn alert(record: &Record) -> String {
    let found = |name: &str, most| record.shown(&format!("metadata.found.{name}"), most);
    let mut text = found("rule", 48).unwrap_or_default();
    match found("count", 20) {
        Some(count) if count != "1" => text.push_str(&format!(" ({count} times)")),
        _ => {}
    }
    for more in [found("about", 80), record.shown("metadata.detail", 120)]
        .into_iter()
        .flatten()
    {
        text.push_str(&format!(": {more}"));
    }
    text
}
