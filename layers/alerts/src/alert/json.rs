use std::time::Duration;

use serde_json::{Map, Value, json};
use time::{
    OffsetDateTime,
    format_description::well_known::{
        Iso8601,
        iso8601::{Config, EncodedConfig, TimePrecision},
    },
};

use super::{Alert, RecordRef};

/// The version of the form. It grows when a member changes its meaning or goes.
pub const SCHEMA: u64 = 1;

/// The JSON Schema (draft 2020-12) of an alert as receivers get it.
pub const JSON_SCHEMA: &str = include_str!("../../schema/alert.json");

impl Alert {
    /// The alert as one JSON object, with how many others its receiver missed before it.
    ///
    /// It fits the payloads of Standard Webhooks: `type` and `timestamp` name what happened and when.
    pub fn to_json(&self, missed: u64) -> String {
        let group = self.group.iter().map(|(by, value)| {
            let value = value.as_deref().map_or(Value::Null, Value::from);
            (by.name().to_owned(), value)
        });
        json!({
            "schema": SCHEMA,
            "type": format!("alert.{}", self.kind.name()),
            "timestamp": written(self.last),
            "id": self.id.to_string(),
            "after": self.after.map(|id| id.to_string()),
            "rule": &*self.rule,
            "severity": self.severity.name(),
            "group": group.collect::<Map<_, _>>(),
            "is_other": self.is_other,
            "count": self.count,
            "first": written(self.first),
            "last": written(self.last),
            "records": self.records.iter().map(RecordRef::to_value).collect::<Vec<_>>(),
            "text": self.text,
            "missed": missed,
        })
        .to_string()
    }
}

impl RecordRef {
    fn to_value(&self) -> Value {
        json!({
            "event_id": self.event_id.to_string(),
            "correlation_id": self.correlation_id.as_deref(),
            "timestamp": written(self.at),
        })
    }
}

/// RFC 3339 in UTC, with microseconds: as records have it.
const MICROSECONDS: EncodedConfig = {
    let six = TimePrecision::Second {
        decimal_digits: std::num::NonZeroU8::new(6),
    };
    Config::DEFAULT.set_time_precision(six).encode()
};

/// The last second that RFC 3339 has words for.
const LAST: Duration = Duration::from_secs(253_402_300_799);

fn written(since_epoch: Duration) -> String {
    let nanos = i128::try_from(since_epoch.min(LAST).as_nanos()).unwrap_or_default();
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos);
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Iso8601::<MICROSECONDS>).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_records_have_them() {
        let at = Duration::new(1_795_446_000, 1_234_000);
        assert_eq!(written(at), "2026-11-23T15:00:00.001234Z");
        assert_eq!(written(Duration::MAX), "9999-12-31T23:59:59.000000Z");
    }
}
