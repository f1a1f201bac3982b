use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Response, StatusCode, header::RETRY_AFTER};

/// What became of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    /// Why not, and for how long the receiver wants to be left alone.
    Again(String, Option<Duration>),
    GaveUp(String),
}

impl Verdict {
    pub(super) fn of(answer: &Response<()>, now: Duration) -> Self {
        let status = answer.status();
        let why = format!("status {}", status.as_u16());
        let is_over = matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        );
        if status.is_success() {
            Self::Taken
        } else if is_over || status.is_server_error() {
            let wish = answer.headers().get(RETRY_AFTER);
            let wish = wish.and_then(|value| retry_after(value.to_str().ok()?, now));
            Self::Again(why, wish)
        } else {
            Self::GaveUp(why)
        }
    }
}

/// Seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(text: &str, now: Duration) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More than can be counted is long.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at: SystemTime = httpdate::parse_http_date(text).ok()?;
    let at = at.duration_since(UNIX_EPOCH).ok()?;
    Some(at.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(784_111_777); // 1994-11-06T08:49:37Z

    fn answered(status: u16, after: Option<&str>) -> Verdict {
        let mut answer = Response::builder().status(status);
        if let Some(after) = after {
            answer = answer.header(RETRY_AFTER, after);
        }
        Verdict::of(&answer.body(()).unwrap(), NOW)
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for taken in [200, 201, 202, 204, 299] {
            assert_eq!(answered(taken, None), Verdict::Taken, "{taken}");
        }
        for again in [408, 429, 500, 502, 503, 504, 599] {
            assert!(
                matches!(answered(again, None), Verdict::Again(..)),
                "{again}"
            );
        }
        for over in [301, 302, 307, 308, 400, 401, 403, 404, 410, 413, 422] {
            assert!(matches!(answered(over, None), Verdict::GaveUp(_)), "{over}");
        }
    }

    #[test]
    fn a_wish_is_read_in_seconds_and_as_a_date() {
        let wish = |text| match answered(429, Some(text)) {
            Verdict::Again(_, wish) => wish.map(|wish| wish.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(wish("120"), Some(120));
        assert_eq!(wish("0"), Some(0));
        assert_eq!(wish("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(wish("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(wish("Sun, 06 Nov 1994 08:49:07 GMT"), Some(0));
        for unread in ["", "soon", "-1", "+5", "1.5"] {
            assert_eq!(wish(unread), None, "{unread}");
        }
        // A wish counts only beside an answer that is no refusal.
        assert!(matches!(answered(404, Some("1")), Verdict::GaveUp(_)));
    }
}
