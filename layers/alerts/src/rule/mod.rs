//! Which records an alert is raised for, and when.

mod by;
mod condition;
mod recommended;
mod rules;

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use bartizan_audit::{Classes, Outcome, Severity};
use bartizan_core::DenialKind;

pub use by::By;
pub(crate) use by::{Group, group_of, key_of, unquoted, write_group};
pub(crate) use condition::Condition;
pub use rules::Rules;

use crate::AlertsConfigError;

/// When an alert is raised: for which records, for how many of them, and for whom they are counted apart.
///
/// What a record must be is said by sort: of several event types it has one, of several classes one, and so on; and it
/// fits what is said of every sort. A rule that says nothing is refused, since it would fit every record.
///
/// Unless it says otherwise an alert is raised at the first record that fits, of nobody apart, with the severity of that
/// record, and then there is quiet for ten minutes.
///
/// ```
/// use std::time::Duration;
/// use bartizan_alerts::{By, Rule};
/// use bartizan_audit::{Classes, Severity};
///
/// let guesses = Rule::new("password-guesses")?
///     .class(Classes::AUTHENTICATION_FAILURE)?
///     .by(By::Address)
///     .threshold(20, Duration::from_secs(300))?
///     .severity(Severity::Error);
/// // No: a type of event that no record has.
/// assert!(Rule::new("typo")?.event("authentication_failed").is_err());
/// # Ok::<(), bartizan_alerts::AlertsConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Rule {
    pub(crate) name: Arc<str>,
    pub(crate) severity: Option<Severity>,
    pub(crate) when: Condition,
    pub(crate) by: Vec<By>,
    pub(crate) count: u32,
    pub(crate) window: Duration,
    pub(crate) quiet: Duration,
    pub(crate) groups: u32,
}

/// Longest name, in bytes.
const NAME_BYTES: usize = 64;

const TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

const NOT_A_TIME: &str = "is not from 1 s to 24 h";

impl Rule {
    /// Records that an alert may wait for, unless there are [groups](Self::groups).
    pub const MOST_COUNT: u32 = 10_000;

    /// Groups that are counted apart, unless [`groups`](Self::groups) says otherwise.
    pub const DEFAULT_GROUPS: u32 = 1024;

    /// A rule by its name, which stands in its alerts.
    ///
    /// # Errors
    ///
    /// If it is not made of 1 to 64 of `a` to `z`, `0` to `9`, `-` and `_`.
    pub fn new(name: &str) -> Result<Self, AlertsConfigError> {
        let is_plain =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        if !(1..=NAME_BYTES).contains(&name.len()) || !name.bytes().all(is_plain) {
            let problem = "is not 1 to 64 of `a` to `z`, `0` to `9`, `-` and `_`";
            return Err(AlertsConfigError::new("rule", name, problem));
        }
        Ok(Self {
            name: name.into(),
            severity: None,
            when: Condition::default(),
            by: Vec::new(),
            count: 1,
            window: Duration::from_secs(60),
            quiet: Duration::from_secs(600),
            groups: Self::DEFAULT_GROUPS,
        })
    }

    /// For records of this `event_type`, or of others that the rule names.
    ///
    /// # Errors
    ///
    /// If no record has it, or it is `alert`: alerts raise none.
    pub fn event(mut self, event_type: &str) -> Result<Self, AlertsConfigError> {
        self.when.event(event_type)?;
        Ok(self)
    }

    /// For records of all these classes, or of others that the rule names.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn class(mut self, classes: Classes) -> Result<Self, AlertsConfigError> {
        if classes == Classes::NONE {
            return Err(AlertsConfigError::new("class", "", "is none"));
        }
        self.when.classes.push(classes);
        Ok(self)
    }

    /// For records that matter so much or more.
    #[must_use]
    pub fn at_least(mut self, severity: Severity) -> Self {
        self.when.at_least = severity;
        self
    }

    /// For what this detector found, or others that the rule names. No other record fits then.
    ///
    /// # Errors
    ///
    /// If the name is empty.
    pub fn detector(mut self, name: &str) -> Result<Self, AlertsConfigError> {
        if name.is_empty() {
            return Err(AlertsConfigError::new("detector", name, "is empty"));
        }
        self.when.detectors.push(name.into());
        Ok(self)
    }

    /// For records of this tool, or of others that the rule names; `*` stands for any run of characters. Names are those
    /// that records show: redacted, and up to 256 bytes.
    ///
    /// # Errors
    ///
    /// If it is no [`Pattern`](bartizan_core::names::Pattern) of names.
    pub fn tool(mut self, pattern: &str) -> Result<Self, AlertsConfigError> {
        self.when.tool(pattern)?;
        Ok(self)
    }

    /// For what was refused for this reason, or for others that the rule names.
    #[must_use]
    pub fn denial(mut self, kind: DenialKind) -> Self {
        self.when.denials.push(kind);
        self
    }

    /// For requests that ended so, or in another way that the rule names.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.when.outcomes.push(outcome);
        self
    }

    /// For records with this `action`, or with others that the rule names: a JSON-RPC method, or what happened outside of
    /// requests, `policy_swapped` say. `*` stands for any run of characters.
    ///
    /// # Errors
    ///
    /// If it is no [`Pattern`](bartizan_core::names::Pattern) of names.
    pub fn action(mut self, pattern: &str) -> Result<Self, AlertsConfigError> {
        self.when.action(pattern)?;
        Ok(self)
    }

    /// Counts apart by this, and by what was said before: each user's records, say, and each user's of each tool.
    #[must_use]
    pub fn by(mut self, by: By) -> Self {
        if !self.by.contains(&by) {
            self.by.push(by);
        }
        self
    }

    /// Raises the alert at the `count`th record within a sliding window.
    ///
    /// # Errors
    ///
    /// If the count is not from 1 to [`MOST_COUNT`](Self::MOST_COUNT), or the window not from 1 s to 24 h.
    pub fn threshold(mut self, count: u32, window: Duration) -> Result<Self, AlertsConfigError> {
        if !(1..=Self::MOST_COUNT).contains(&count) {
            let problem = "is not from 1 to 10000";
            return Err(AlertsConfigError::new("count", count.to_string(), problem));
        }
        if !TIMES.contains(&window) {
            let shown = format!("{window:?}");
            return Err(AlertsConfigError::new("window", shown, NOT_A_TIME));
        }
        (self.count, self.window) = (count, window);
        Ok(self)
    }

    /// For how long there is quiet after an alert. What fits meanwhile is counted, and told in one alert at the end, after
    /// which there is quiet again. A graver record than those that were told of breaks the quiet.
    ///
    /// # Errors
    ///
    /// If it is not from 1 s to 24 h.
    pub fn cool_down(mut self, quiet: Duration) -> Result<Self, AlertsConfigError> {
        if !TIMES.contains(&quiet) {
            let shown = format!("{quiet:?}");
            return Err(AlertsConfigError::new("cool_down", shown, NOT_A_TIME));
        }
        self.quiet = quiet;
        Ok(self)
    }

    /// The severity of its alerts. Otherwise they have that of the gravest record.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// How many groups are counted apart. Whoever comes beyond them is counted in one group with all others.
    ///
    /// # Errors
    ///
    /// If it is not from 1 to 65536.
    pub fn groups(mut self, groups: u32) -> Result<Self, AlertsConfigError> {
        if !(1..=1 << 16).contains(&groups) {
            let problem = "is not from 1 to 65536";
            return Err(AlertsConfigError::new(
                "groups",
                groups.to_string(),
                problem,
            ));
        }
        self.groups = groups;
        Ok(self)
    }
}
