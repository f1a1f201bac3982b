use std::time::Duration;

use serde_json::Value;

use crate::Fault;

/// The last second of the year 9999: later dates are mistakes, in milliseconds for instance.
const LAST_DATE: u64 = 253_402_300_799;

/// A `NumericDate` (RFC 7519 §2): seconds since the epoch, possibly with a fraction.
pub fn numeric_date(value: &Value) -> Result<Duration, Fault> {
    const FAULT: Fault = "a date is not a number of seconds";
    if let Some(seconds) = value.as_u64() {
        return (seconds <= LAST_DATE)
            .then(|| Duration::from_secs(seconds))
            .ok_or(FAULT);
    }
    let seconds = value.as_f64().ok_or(FAULT)?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| FAULT)?;
    (duration.as_secs() <= LAST_DATE)
        .then_some(duration)
        .ok_or(FAULT)
}
