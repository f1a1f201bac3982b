use std::{num::NonZeroU8, time::Duration};

use time::{
    OffsetDateTime,
    format_description::well_known::{
        Iso8601,
        iso8601::{Config, EncodedConfig, TimePrecision},
    },
};

/// RFC 3339 with six digits of the second, so that records sort as text.
const MICROSECONDS: EncodedConfig = Config::DEFAULT
    .set_time_precision(TimePrecision::Second {
        decimal_digits: NonZeroU8::new(6),
    })
    .encode();

/// The last second of the year 9999, beyond which RFC 3339 has no words.
const LAST_SECOND: u64 = 253_402_300_799;

/// Appends a time since the Unix epoch, in UTC with a `Z`.
pub(crate) fn write(out: &mut Vec<u8>, since_epoch: Duration) {
    let seconds = since_epoch.as_secs().min(LAST_SECOND);
    let Ok(seconds) = i64::try_from(seconds) else {
        return;
    };
    if let Ok(time) = OffsetDateTime::from_unix_timestamp(seconds)
        && let Ok(time) = time.replace_nanosecond(since_epoch.subsec_nanos())
    {
        // A vector takes every write.
        let _ = time.format_into(out, &Iso8601::<MICROSECONDS>);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(since_epoch: Duration) -> String {
        let mut out = Vec::new();
        write(&mut out, since_epoch);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn seed_u9_a_timestamp_says_that_it_is_utc() {
        let at = Duration::new(1_795_446_000, 1_234_000);
        assert_eq!(shown(at), "2026-11-23T15:00:00.001234Z");
        assert_eq!(shown(Duration::ZERO), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn seed_u7_a_clock_beyond_all_years_stands_at_the_last_one() {
        assert_eq!(shown(Duration::MAX), "9999-12-31T23:59:59.999999Z");
    }
}
