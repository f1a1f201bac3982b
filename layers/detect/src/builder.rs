use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use crate::{
    Bound, DetectConfigError, Detector, Detectors, credential::Used, distinct::Distinct,
    network::Prefixes, rate::RateBound,
};

/// How the [`Detectors`] are set. What is not said is as the README's table says.
#[derive(Debug, Clone)]
#[must_use]
pub struct DetectorsBuilder {
    pub(crate) settings: Settings,
}

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) off: BTreeSet<Detector>,
    pub(crate) stuffing: Bound,
    pub(crate) spray: Bound,
    pub(crate) keys: Bound,
    pub(crate) denials: Bound,
    pub(crate) escalation: Bound,
    pub(crate) surge: RateBound,
    pub(crate) rate: RateBound,
    pub(crate) two_networks: Bound,
    pub(crate) tools: Bound,
    pub(crate) honey_tools: HashSet<String>,
    pub(crate) prefixes: Prefixes,
    pub(crate) accounts: usize,
    pub(crate) networks: usize,
    pub(crate) credentials: usize,
}

const MOST_HONEY_TOOLS: usize = 256;
const MOST_SUBJECTS: usize = 1 << 20;

impl Default for Settings {
    fn default() -> Self {
        Self {
            off: BTreeSet::new(),
            stuffing: Bound::minutes(20, 10),
            spray: Bound::minutes(5, 10),
            keys: Bound::minutes(10, 10),
            denials: Bound::minutes(20, 10),
            escalation: Bound::minutes(1, 10),
            surge: RateBound::SURGE,
            rate: RateBound::USUAL,
            two_networks: Bound::minutes(2, 10),
            tools: Bound::minutes(8, 10),
            honey_tools: HashSet::new(),
            prefixes: Prefixes::USUAL,
            accounts: Detectors::DEFAULT_SUBJECTS,
            networks: Detectors::DEFAULT_SUBJECTS,
            credentials: Detectors::DEFAULT_SUBJECTS,
        }
    }
}

impl Settings {
    pub(crate) fn is_on(&self, detector: Detector) -> bool {
        !self.off.contains(&detector)
    }
}

impl DetectorsBuilder {
    pub(crate) fn new() -> Self {
        Self {
            settings: Settings::default(),
        }
    }

    /// Leaves one out.
    pub fn off(self, detector: Detector) -> Self {
        self.with(|settings| {
            settings.off.insert(detector);
        })
    }

    /// So many different credentials of one network are refused (1 to 1000), and more than twice as many as accounts are
    /// identified there.
    pub fn credential_stuffing(self, bound: Bound) -> Self {
        self.with(|settings| settings.stuffing = bound)
    }

    /// One credential, or one API key's id, is refused in so many networks: 2 to 1000.
    pub fn credential_spray(self, bound: Bound) -> Self {
        self.with(|settings| settings.spray = bound)
    }

    /// So many different ids of API keys are refused in one network: 1 to 1000.
    pub fn key_enumeration(self, bound: Bound) -> Self {
        self.with(|settings| settings.keys = bound)
    }

    /// One account is denied so often: 1 to 1000000.
    pub fn repeated_denials(self, bound: Bound) -> Self {
        self.with(|settings| settings.denials = bound)
    }

    /// So many attempts of one account at what is destructive or beyond its credential's limits: 1 to 1000000.
    pub fn escalation(self, bound: Bound) -> Self {
        self.with(|settings| settings.escalation = bound)
    }

    /// Of all credentials, wherever they come from, so many times (2 to 100) as many are refused as is usual in a window in
    /// which any is, and at least `least` (1 to 1000000), after so many such windows (2 to 1000).
    pub fn refusal_surge(self, least: u32, times: u32, window: Duration, history: u32) -> Self {
        self.with(|settings| {
            settings.surge = RateBound {
                least,
                times,
                window,
                history,
            };
        })
    }

    /// One account asks so many times (2 to 100) what is usual in a window in which it asks at all, and at least `least`
    /// (1 to 1000000), after so many such windows (2 to 1000).
    pub fn rate(self, least: u32, times: u32, window: Duration, history: u32) -> Self {
        self.with(|settings| {
            settings.rate = RateBound {
                least,
                times,
                window,
                history,
            };
        })
    }

    /// One credential is used in so many networks of the same family: 2 to 8.
    pub fn two_networks(self, bound: Bound) -> Self {
        self.with(|settings| settings.two_networks = bound)
    }

    /// So many tools of different names are asked for that are denied or do not exist: 1 to 1000.
    pub fn unknown_tools(self, bound: Bound) -> Self {
        self.with(|settings| settings.tools = bound)
    }

    /// Tools that nobody has a reason to ask for, by their names as records show them: whoever does is told of, whatever
    /// the answer is. At most 256, of 1 to 256 bytes. What records call `honey_touched` is told of without this.
    pub fn honey_tools<I: IntoIterator<Item: Into<String>>>(self, tools: I) -> Self {
        self.with(|settings| settings.honey_tools = tools.into_iter().map(Into::into).collect())
    }

    /// How many bits of an address are its network's: of IPv4 8 to 32, and of IPv6 16 to 128.
    pub fn prefixes(self, v4: u8, v6: u8) -> Self {
        self.with(|settings| settings.prefixes = Prefixes { v4, v6 })
    }

    /// How many accounts, networks and credentials are remembered at a time: 64 to 1048576, rounded up to a power of two.
    /// Of credentials the good ones and the refused ones each. None takes more than 1 KiB.
    pub fn subjects(self, accounts: usize, networks: usize, credentials: usize) -> Self {
        self.with(|settings| {
            settings.accounts = accounts;
            settings.networks = networks;
            settings.credentials = credentials;
        })
    }

    /// The detectors.
    ///
    /// # Errors
    ///
    /// A setting that is out of its range, by name.
    pub fn build(self) -> Result<Detectors, DetectConfigError> {
        let set = &self.settings;
        let distinct = "is not from 1 to 1000";
        let many = "is not from 1 to 1000000";
        set.stuffing
            .checked("credential_stuffing", 1..=Distinct::MOST, distinct)?;
        set.spray.checked(
            "credential_spray",
            2..=Distinct::MOST,
            "is not from 2 to 1000",
        )?;
        set.keys
            .checked("key_enumeration", 1..=Distinct::MOST, distinct)?;
        set.denials
            .checked("repeated_denials", 1..=1_000_000, many)?;
        set.escalation.checked("escalation", 1..=1_000_000, many)?;
        set.surge.checked([
            "refusal_surge least",
            "refusal_surge times",
            "refusal_surge history",
            "refusal_surge",
        ])?;
        set.rate
            .checked(["rate least", "rate times", "rate history", "rate"])?;
        set.two_networks
            .checked("two_networks", 2..=Used::MOST, "is not from 2 to 8")?;
        set.tools
            .checked("unknown_tools", 1..=Distinct::MOST, distinct)?;
        let error = |setting, value: &dyn std::fmt::Display, problem| {
            Err(DetectConfigError::new(setting, value, problem))
        };
        let honey = &set.honey_tools;
        if honey.len() > MOST_HONEY_TOOLS {
            return error("honey_tools", &honey.len(), "are more than 256");
        }
        let is_bad = |tool: &&String| !(1..=256).contains(&tool.len());
        if let Some(tool) = honey.iter().find(is_bad) {
            return error("honey_tools", tool, "is not of 1 to 256 bytes");
        }
        let prefixes = set.prefixes;
        if !(8..=32).contains(&prefixes.v4) {
            return error("prefixes v4", &prefixes.v4, "is not from 8 to 32");
        }
        if !(16..=128).contains(&prefixes.v6) {
            return error("prefixes v6", &prefixes.v6, "is not from 16 to 128");
        }
        for (setting, subjects) in [
            ("accounts", set.accounts),
            ("networks", set.networks),
            ("credentials", set.credentials),
        ] {
            if !(64..=MOST_SUBJECTS).contains(&subjects) {
                return error(setting, &subjects, "is not from 64 to 1048576");
            }
        }
        Ok(Detectors::of(self.settings))
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_out_of_its_range_names_itself() {
        let builder = Detectors::builder;
        let bound = Bound::minutes;
        let long = Duration::from_secs(86_401);
        for (builder, named) in [
            (
                builder().credential_stuffing(bound(0, 1)),
                "credential_stuffing `0`",
            ),
            (
                builder().credential_stuffing(bound(1001, 1)),
                "credential_stuffing `1001`",
            ),
            (
                builder().credential_spray(bound(1, 1)),
                "credential_spray `1`",
            ),
            (
                builder().key_enumeration(bound(0, 1)),
                "key_enumeration `0`",
            ),
            (
                builder().repeated_denials(bound(0, 1)),
                "repeated_denials `0`",
            ),
            (
                builder().escalation(Bound::new(1, long)),
                "escalation `86401s`",
            ),
            (builder().escalation(bound(1, 0)), "escalation `0ns`"),
            (builder().two_networks(bound(9, 1)), "two_networks `9`"),
            (builder().unknown_tools(bound(0, 1)), "unknown_tools `0`"),
            (
                builder().rate(0, 5, Duration::from_secs(60), 10),
                "rate least `0`",
            ),
            (
                builder().rate(1, 1, Duration::from_secs(60), 10),
                "rate times `1`",
            ),
            (
                builder().rate(1, 5, Duration::from_millis(999), 10),
                "rate `999ms`",
            ),
            (
                builder().rate(1, 5, Duration::from_secs(60), 1),
                "rate history `1`",
            ),
            (
                builder().refusal_surge(0, 5, Duration::from_secs(60), 9),
                "refusal_surge least `0`",
            ),
            (builder().honey_tools([""]), "honey_tools ``"),
            (builder().prefixes(7, 48), "prefixes v4 `7`"),
            (builder().prefixes(24, 129), "prefixes v6 `129`"),
            (builder().subjects(63, 64, 64), "accounts `63`"),
            (builder().subjects(64, 1 << 21, 64), "networks `2097152`"),
            (builder().subjects(64, 64, 0), "credentials `0`"),
        ] {
            let error = builder.build().unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        let many = (0..257).map(|number| number.to_string());
        let error = builder().honey_tools(many).build().unwrap_err();
        assert_eq!((error.setting(), error.value()), ("honey_tools", "257"));
    }
}
