use std::ops::RangeInclusive;

use bartizan_fetch::Reach;

use super::host::is_pattern;

/// Which URLs a [`SafeUrl`](super::SafeUrl) may hold, in code. What is not said is the strictest.
///
/// ```
/// use bartizan_validate::safe::net::{SafeUrl, UrlRules};
///
/// struct Repositories;
/// impl UrlRules for Repositories {
///     const HOSTS: &'static [&'static str] = &["github.com", "*.gitlab.example.com"];
/// }
///
/// assert!("https://github.com/a/b".parse::<SafeUrl<Repositories>>().is_ok());
/// assert!("https://eu.gitlab.example.com/a".parse::<SafeUrl<Repositories>>().is_ok());
/// assert!("https://github.com.evil.example/".parse::<SafeUrl<Repositories>>().is_err());
/// ```
pub trait UrlRules: Send + Sync + 'static {
    /// The hosts, in lower case; `*.` stands for any subdomain. None: any that the other rules admit. A list with
    /// something else does not compile where it is used.
    const HOSTS: &'static [&'static str] = &[];

    /// The ports.
    const PORTS: &'static [RangeInclusive<u16>] = &[443..=443];

    /// Which addresses a name may have.
    const REACH: Reach = Reach::Public;

    /// Whether `http` is admitted too, which anybody on the way reads and changes.
    const DANGER_HTTP: bool = false;

    /// Whether this machine is admitted too, which no list of hosts does. For tests.
    const DANGER_THIS_MACHINE: bool = false;
}

/// `https`, port 443, hosts of the Internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "it has no values to speak of")]
pub struct PublicHttps;

impl UrlRules for PublicHttps {}

/// Whether the list of hosts is one.
pub(super) const fn are_hosts(mut hosts: &[&str]) -> bool {
    while let [host, rest @ ..] = hosts {
        if !is_pattern(host) {
            return false;
        }
        hosts = rest;
    }
    true
}
