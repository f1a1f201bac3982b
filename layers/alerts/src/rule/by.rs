use std::{
    fmt::Write as _,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    net::{IpAddr, Ipv6Addr},
};

use bartizan_audit::{Record, Text};
use bartizan_core::printable;

use super::condition::detector;

/// What records are counted apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum By {
    /// The account: the subject at its issuer. All that come from nobody in particular are one group.
    User,
    /// The client's address; of IPv6 its first 64 bits.
    Address,
    /// The credential, by its id.
    Credential,
    /// The tool that was asked for.
    Tool,
    /// What was asked for, or happened: the record's `action`.
    Action,
    /// Who found it: of an anomaly.
    Detector,
}

/// Which records an alert is of: what they were counted apart by, each with its value, as far as they have one.
pub(crate) type Group = Vec<(By, Option<Box<str>>)>;

impl By {
    /// A stable word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Address => "address",
            Self::Credential => "credential",
            Self::Tool => "tool",
            Self::Action => "action",
            Self::Detector => "detector",
        }
    }

    /// Accounts, credentials and tools are told apart also where their names are masked.
    fn hash_value(self, record: &Record<'_>, hasher: &mut impl Hasher) {
        self.hash(hasher);
        match self {
            Self::User => record.account().hash(hasher),
            Self::Credential => record.credential().hash(hasher),
            Self::Tool => record.tool().hash(hasher),
            Self::Address => record.ip_address.map(network).hash(hasher),
            Self::Action => record.action.map(|action| action.as_str()).hash(hasher),
            Self::Detector => detector(record).hash(hasher),
        }
    }

    fn shown(self, record: &Record<'_>) -> Option<Box<str>> {
        let text = |text: Option<Text<'_>>| text.map(|text| bounded(&text.to_string()));
        match self {
            Self::User => text(record.user_id),
            Self::Credential => text(record.metadata.credential_id),
            Self::Tool => text(record.tool_name),
            Self::Action => text(record.action),
            Self::Detector => {
                detector(record).map(|it| bounded(&printable(it, usize::MAX).to_string()))
            }
            Self::Address => record.ip_address.map(|address| match network(address) {
                IpAddr::V6(network) => format!("{network}/64").into(),
                address => address.to_string().into(),
            }),
        }
    }
}

/// Which group a record belongs to, under a key that nobody knows.
pub(crate) fn key_of(by: &[By], record: &Record<'_>, secret: &RandomState) -> u64 {
    let mut hasher = secret.build_hasher();
    for by in by {
        by.hash_value(record, &mut hasher);
    }
    hasher.finish()
}

pub(crate) fn group_of(by: &[By], record: &Record<'_>) -> Group {
    by.iter().map(|by| (*by, by.shown(record))).collect()
}

/// Whoever has one address of IPv6 mostly has 64 bits of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// Bytes of a value that are shown; it is visible ASCII.
const VALUE_BYTES: usize = 128;

fn bounded(text: &str) -> Box<str> {
    match text.get(..VALUE_BYTES) {
        Some(beginning) if text.len() > VALUE_BYTES => format!("{beginning}...").into(),
        _ => text.into(),
    }
}

/// Text that does not end the quotes that it is put into, whoever chose it; what it has instead is as
/// [`printable`] writes it.
pub(crate) fn unquoted(text: &str) -> String {
    text.replace('`', "\\u{60}")
}

/// As a person would say it.
pub(crate) fn write_group(out: &mut String, group: &Group, is_other: bool) {
    if is_other {
        out.push_str("of more groups than are counted apart");
        return;
    }
    for (place, (by, value)) in group.iter().enumerate() {
        out.push_str(if place > 0 { ", " } else { "" });
        // A `String` takes every write.
        let _ = match value {
            Some(value) => write!(out, "{} `{}`", by.name(), unquoted(value)),
            None => write!(out, "no {}", by.name()),
        };
    }
}
