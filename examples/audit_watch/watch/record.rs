//! A line of a log as it can be judged and shown.

use bartizan::{audit::Severity, printable};
use serde_json::Value;
use time::{Date, Month};

/// An object that says of what type it is; what else it says is read where there is something to read.
pub(super) struct Record(Value);

impl Record {
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let value = serde_json::from_slice(line).ok()?;
        let record = Self(value);
        record.text("event_type").map(|_| ())?;
        Some(record)
    }

    /// A member that is a text. A path leads to one inside: `metadata.denial`.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.at(path)?.as_str()
    }

    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.at(path)?.as_u64()
    }

    pub(super) fn event_type(&self) -> &str {
        self.text("event_type").unwrap_or_default()
    }

    pub(super) fn classes(&self) -> impl Iterator<Item = &str> {
        let classes = self.at("classes").and_then(Value::as_array);
        classes.into_iter().flatten().filter_map(Value::as_str)
    }

    /// `None` of one that this program does not know, which may matter more than any that it knows.
    pub(super) fn severity(&self) -> Option<Severity> {
        severity(self.text("severity")?)
    }

    /// When it was, in seconds since 1970.
    pub(super) fn seconds(&self) -> Option<i64> {
        seconds(self.text("timestamp")?)
    }

    /// What it says, as text inside a bound that can't steer a terminal.
    pub(super) fn shown(&self, path: &str, most: usize) -> Option<String> {
        match self.at(path)? {
            Value::Null => None,
            Value::String(text) => Some(shown(text, most)),
            other => Some(shown(&other.to_string(), most)),
        }
        .filter(|text| !text.is_empty())
    }

    /// Why a guard refused, or what one noted.
    pub(super) fn finding(&self, verdict: &str) -> Option<(&str, &str)> {
        let findings = self.at("findings")?.as_array()?;
        let said =
            |finding: &&Value| finding.get("verdict").and_then(Value::as_str) == Some(verdict);
        let finding = findings.iter().rev().find(said)?;
        let text = |name: &str| finding.get(name).and_then(Value::as_str);
        Some((text("kind")?, text("reason").unwrap_or_default()))
    }

    fn at(&self, path: &str) -> Option<&Value> {
        path.split('.')
            .try_fold(&self.0, |value, name| value.get(name))
    }
}

/// What stands in a file may be anybody's: all but visible ASCII is escaped, and the mark of what was cut or masked.
pub(super) fn shown(text: &str, most: usize) -> String {
    let end = text
        .char_indices()
        .nth(most)
        .map_or(text.len(), |(at, _)| at);
    let (begun, rest) = text.split_at(end);
    let parts = begun
        .split('…')
        .map(|part| printable(part, most).to_string());
    let mut all = parts.collect::<Vec<_>>().join("…");
    if !rest.is_empty() {
        all.push('…');
    }
    all
}

pub(super) fn severity(word: &str) -> Option<Severity> {
    Severity::ALL.into_iter().find(|one| one.name() == word)
}

/// Of RFC 3339, whose fractions are left out.
pub(super) fn seconds(timestamp: &str) -> Option<i64> {
    let digits = |from: usize, to: usize| -> Option<u8> {
        let digits = timestamp.get(from..to)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    let year = i32::from(digits(0, 2)?) * 100 + i32::from(digits(2, 4)?);
    let month = Month::try_from(digits(5, 7)?).ok()?;
    let date = Date::from_calendar_date(year, month, digits(8, 10)?).ok()?;
    let time = date
        .with_hms(digits(11, 13)?, digits(14, 16)?, digits(17, 19)?)
        .ok()?;
    Some(time.assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_read_or_refused() {
        assert_eq!(seconds("1970-01-01T00:01:02.000000Z"), Some(62));
        assert_eq!(seconds("2026-11-23T15:00:51.000000Z"), Some(1_795_446_051));
        for wrong in [
            "",
            "now",
            "2026-13-01T00:00:00Z",
            "2026-1é-01T00:00:00Z",
            "2026-01-01T25:00:00Z",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
