use std::time::Duration;

use http::HeaderValue;
#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

use crate::HeadersConfigError;

const NAME: &str = "strict-transport-security";
const YEAR: u64 = 31_536_000;

/// What `Strict-Transport-Security` says (RFC 6797): two years, subdomains included, unless told
/// otherwise. Checked when it is given to a layer.
///
/// ```
/// use std::time::Duration;
/// use bartizan_headers::{Hsts, SecurityHeadersLayer};
///
/// let day = Hsts::new().max_age(Duration::from_secs(86_400)).this_host_only();
/// assert!(SecurityHeadersLayer::mcp().hsts(day).is_ok());
/// assert!(SecurityHeadersLayer::mcp().hsts(Hsts::new().max_age(Duration::ZERO)).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[must_use]
pub struct Hsts {
    max_age_seconds: Option<u64>,
    include_subdomains: bool,
    preload: bool,
    danger_forget: bool,
}

impl Hsts {
    /// Two years, subdomains included, no preload.
    pub fn new() -> Self {
        Self {
            max_age_seconds: None,
            include_subdomains: true,
            preload: false,
            danger_forget: false,
        }
    }

    /// For how long browsers insist on TLS: one second to 2³¹ − 1 seconds; fractions of a second are
    /// cut off.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age_seconds = Some(max_age.as_secs());
        self
    }

    /// Leaves subdomains of the host out.
    pub fn this_host_only(mut self) -> Self {
        self.include_subdomains = false;
        self
    }

    /// Consents to the browsers' preload lists, which demand at least one year and subdomains.
    pub fn preload(mut self) -> Self {
        self.preload = true;
        self
    }

    /// Sends `max-age=0`, which makes browsers forget that the host insists on TLS.
    pub fn danger_forget() -> Self {
        Self {
            danger_forget: true,
            ..Self::new()
        }
    }

    pub(crate) fn header_value(&self) -> Result<HeaderValue, HeadersConfigError> {
        let max_age = match (self.danger_forget, self.max_age_seconds) {
            (true, None) => 0,
            (false, given) => given.unwrap_or(2 * YEAR),
            (true, Some(_)) => {
                return Err(HeadersConfigError::name(
                    NAME,
                    "has both a max-age and `danger_forget`",
                ));
            }
        };
        let mut text = format!("max-age={max_age}");
        if self.include_subdomains && !self.danger_forget {
            text.push_str("; includeSubDomains");
        }
        if self.preload {
            text.push_str("; preload");
        }
        let error = |problem| Err(HeadersConfigError::value(NAME, &text, problem));
        if max_age == 0 && !self.danger_forget {
            return error("makes browsers forget the host, which only `danger_forget` may");
        }
        if max_age > i32::MAX.unsigned_abs().into() {
            return error("is more than 2147483647 seconds");
        }
        if self.preload && (max_age < YEAR || !self.include_subdomains) {
            return error("preloads with less than a year or without subdomains");
        }
        HeaderValue::try_from(text)
            .map_err(|_| HeadersConfigError::name(NAME, "is not a header value"))
    }
}

impl Default for Hsts {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(hsts: Hsts) -> Option<String> {
        let value = hsts.header_value().ok()?;
        Some(value.to_str().unwrap().to_owned())
    }

    fn seconds(seconds: u64) -> Hsts {
        Hsts::new().max_age(Duration::from_secs(seconds))
    }

    #[test]
    fn seed_h5_the_default_is_two_years_with_subdomains() {
        let expected = "max-age=63072000; includeSubDomains";
        assert_eq!(sent(Hsts::new()).as_deref(), Some(expected));
    }

    #[test]
    fn zero_is_refused_unless_danger_is_named() {
        assert_eq!(sent(seconds(0)), None);
        assert_eq!(sent(Hsts::new().max_age(Duration::from_millis(999))), None);
        assert_eq!(sent(Hsts::danger_forget()).as_deref(), Some("max-age=0"));
        assert_eq!(
            sent(Hsts::danger_forget().max_age(Duration::from_secs(9))),
            None
        );
        assert_eq!(sent(Hsts::danger_forget().preload()), None);
    }

    #[test]
    fn max_age_ends_where_caches_overflow() {
        assert!(sent(seconds(2_147_483_647)).is_some());
        assert_eq!(sent(seconds(2_147_483_648)), None);
        assert_eq!(sent(Hsts::new().max_age(Duration::MAX)), None);
    }

    #[test]
    fn preload_needs_a_year_and_subdomains() {
        let year = "max-age=31536000; includeSubDomains; preload";
        assert_eq!(sent(seconds(YEAR).preload()).as_deref(), Some(year));
        assert_eq!(sent(seconds(YEAR - 1).preload()), None);
        assert_eq!(sent(Hsts::new().preload().this_host_only()), None);
    }
}
