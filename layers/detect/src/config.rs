use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Bound, DetectConfigError, Detector, Detectors, rate::RateBound};

/// The settings of [`Detectors`] as a file holds them; unknown fields are refused, and what is absent is as usual.
///
/// ```
/// use bartizan_detect::{DetectConfig, Detectors};
/// let config: DetectConfig = serde_json::from_str(
///     r#"{ "unknown_tools": { "count": 5, "window_seconds": 300 }, "off": ["rate"], "honey_tools": ["export_all_users"] }"#,
/// )?;
/// let detectors = Detectors::try_from(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct DetectConfig {
    /// See [`DetectorsBuilder::off`](crate::DetectorsBuilder::off).
    pub off: Vec<Detector>,
    /// See [`DetectorsBuilder::credential_stuffing`](crate::DetectorsBuilder::credential_stuffing).
    pub credential_stuffing: Option<BoundConfig>,
    /// See [`DetectorsBuilder::credential_spray`](crate::DetectorsBuilder::credential_spray).
    pub credential_spray: Option<BoundConfig>,
    /// See [`DetectorsBuilder::refusal_surge`](crate::DetectorsBuilder::refusal_surge).
    pub refusal_surge: Option<RateConfig>,
    /// See [`DetectorsBuilder::key_enumeration`](crate::DetectorsBuilder::key_enumeration).
    pub key_enumeration: Option<BoundConfig>,
    /// See [`DetectorsBuilder::repeated_denials`](crate::DetectorsBuilder::repeated_denials).
    pub repeated_denials: Option<BoundConfig>,
    /// See [`DetectorsBuilder::escalation`](crate::DetectorsBuilder::escalation).
    pub escalation: Option<BoundConfig>,
    /// See [`DetectorsBuilder::rate`](crate::DetectorsBuilder::rate).
    pub rate: Option<RateConfig>,
    /// See [`DetectorsBuilder::two_networks`](crate::DetectorsBuilder::two_networks).
    pub two_networks: Option<BoundConfig>,
    /// See [`DetectorsBuilder::unknown_tools`](crate::DetectorsBuilder::unknown_tools).
    pub unknown_tools: Option<BoundConfig>,
    /// See [`DetectorsBuilder::honey_tools`](crate::DetectorsBuilder::honey_tools).
    pub honey_tools: Vec<String>,
    /// See [`DetectorsBuilder::prefixes`](crate::DetectorsBuilder::prefixes): of IPv4.
    pub prefix_v4: Option<u8>,
    /// The same of IPv6.
    pub prefix_v6: Option<u8>,
    /// See [`DetectorsBuilder::subjects`](crate::DetectorsBuilder::subjects).
    pub accounts: Option<usize>,
    /// The same.
    pub networks: Option<usize>,
    /// The same.
    pub credentials: Option<usize>,
}

/// A [`Bound`] as a file holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BoundConfig {
    /// How many.
    pub count: u32,
    /// Within so many seconds: 1 to 86400.
    pub window_seconds: u64,
}

/// When a rate is unlike its history, as a file holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RateConfig {
    /// Fewer are never told.
    pub least: u32,
    /// So many times what is usual are.
    pub times: u32,
    /// In so many seconds: 1 to 86400.
    pub window_seconds: u64,
    /// After so many windows in which there were requests.
    pub history: u32,
}

impl From<BoundConfig> for Bound {
    fn from(config: BoundConfig) -> Self {
        Self::new(config.count, Duration::from_secs(config.window_seconds))
    }
}

impl From<RateConfig> for RateBound {
    fn from(config: RateConfig) -> Self {
        Self {
            least: config.least,
            times: config.times,
            window: Duration::from_secs(config.window_seconds),
            history: config.history,
        }
    }
}

impl TryFrom<DetectConfig> for Detectors {
    type Error = DetectConfigError;

    fn try_from(config: DetectConfig) -> Result<Self, DetectConfigError> {
        let mut builder = Self::builder().honey_tools(config.honey_tools);
        let set = &mut builder.settings;
        for (bound, from) in [
            (&mut set.stuffing, config.credential_stuffing),
            (&mut set.spray, config.credential_spray),
            (&mut set.keys, config.key_enumeration),
            (&mut set.denials, config.repeated_denials),
            (&mut set.escalation, config.escalation),
            (&mut set.two_networks, config.two_networks),
            (&mut set.tools, config.unknown_tools),
        ] {
            *bound = from.map_or(*bound, Bound::from);
        }
        for (bound, from) in [
            (&mut set.rate, config.rate),
            (&mut set.surge, config.refusal_surge),
        ] {
            *bound = from.map_or(*bound, RateBound::from);
        }
        set.prefixes.v4 = config.prefix_v4.unwrap_or(set.prefixes.v4);
        set.prefixes.v6 = config.prefix_v6.unwrap_or(set.prefixes.v6);
        set.accounts = config.accounts.unwrap_or(set.accounts);
        set.networks = config.networks.unwrap_or(set.networks);
        set.credentials = config.credentials.unwrap_or(set.credentials);
        set.off.extend(config.off);
        builder.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(json: &str) -> Result<Detectors, String> {
        let config: DetectConfig = serde_json::from_str(json).map_err(|e| e.to_string())?;
        config
            .try_into()
            .map_err(|e: DetectConfigError| e.to_string())
    }

    #[test]
    fn every_setting_reaches_the_detectors() {
        let bound = |count| format!(r#"{{ "count": {count}, "window_seconds": 60 }}"#);
        let json = format!(
            r#"{{ "off": ["honey"], "credential_stuffing": {}, "credential_spray": {}, "key_enumeration": {},
                 "repeated_denials": {}, "escalation": {}, "two_networks": {}, "unknown_tools": {},
                 "rate": {{ "least": 2, "times": 3, "window_seconds": 4, "history": 5 }},
                 "refusal_surge": {{ "least": 6, "times": 7, "window_seconds": 8, "history": 9 }}, "honey_tools": ["x"],
                 "prefix_v4": 16, "prefix_v6": 64, "accounts": 65, "networks": 66, "credentials": 67 }}"#,
            bound(3),
            bound(4),
            bound(5),
            bound(6),
            bound(7),
            bound(8),
            bound(9),
        );
        let from_file = build(&json).unwrap();
        let by_hand = Detectors::builder()
            .off(Detector::Honey)
            .credential_stuffing(Bound::minutes(3, 1))
            .credential_spray(Bound::minutes(4, 1))
            .key_enumeration(Bound::minutes(5, 1))
            .repeated_denials(Bound::minutes(6, 1))
            .escalation(Bound::minutes(7, 1))
            .two_networks(Bound::minutes(8, 1))
            .unknown_tools(Bound::minutes(9, 1))
            .rate(2, 3, Duration::from_secs(4), 5)
            .refusal_surge(6, 7, Duration::from_secs(8), 9)
            .honey_tools(["x"])
            .prefixes(16, 64)
            .subjects(65, 66, 67)
            .build()
            .unwrap();
        assert_eq!(format!("{from_file:?}"), format!("{by_hand:?}"));
        assert_ne!(format!("{by_hand:?}"), format!("{:?}", Detectors::new()));
        let usual = build("{}").unwrap();
        assert_eq!(format!("{usual:?}"), format!("{:?}", Detectors::new()));
    }

    #[test]
    fn an_unknown_field_or_a_bad_value_names_itself() {
        for (json, named) in [
            (r#"{ "of": [] }"#, "of"),
            (r#"{ "off": ["rates"] }"#, "rates"),
            (
                r#"{ "escalation": { "count": 0, "window_seconds": 60 } }"#,
                "escalation `0`",
            ),
            (
                r#"{ "escalation": { "count": 1, "seconds": 60 } }"#,
                "seconds",
            ),
        ] {
            let error = build(json).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
