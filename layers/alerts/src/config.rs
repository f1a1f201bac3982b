use std::{fmt, time::Duration};

use bartizan_audit::{Classes, Outcome, Severity};
use bartizan_core::DenialKind;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Alerts, AlertsBuilder, AlertsConfigError, By, Outbox, Rule, Rules, TracingReceiver};

/// The settings of [`Alerts`] as a file holds them; unknown fields are refused.
///
/// ```
/// use bartizan_alerts::AlertsConfig;
/// let config: AlertsConfig = serde_json::from_str(r#"{
///     "without": ["panic"],
///     "rules": [{
///         "name": "many-deletions", "tools": ["delete_*"], "outcomes": ["admitted"],
///         "by": ["user"], "count": 10, "window_seconds": 60, "severity": "error"
///     }],
///     "tracing": true
/// }"#)?;
/// let alerts = config.builder()?.build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AlertsConfig {
    /// Whether [`Rules::recommended`] are among the rules; they are by default.
    pub recommended: bool,
    /// Recommended rules that are not.
    pub without: Vec<String>,
    /// Further rules.
    pub rules: Vec<RuleConfig>,
    /// Whether alerts are emitted by a [`TracingReceiver`]; they are not by default.
    pub tracing: bool,
    /// Receivers by HTTP.
    #[cfg(feature = "webhook")]
    pub webhooks: Vec<WebhookConfig>,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self {
            recommended: true,
            without: Vec::new(),
            rules: Vec::new(),
            tracing: false,
            #[cfg(feature = "webhook")]
            webhooks: Vec::new(),
        }
    }
}

/// A [`Rule`] as a file holds it; the words are those of records. What is absent is as [`Rule::new`] has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RuleConfig {
    /// Its name.
    pub name: String,
    /// See [`Rule::severity`].
    #[serde(default)]
    pub severity: Option<String>,
    /// See [`Rule::event`].
    #[serde(default)]
    pub events: Vec<String>,
    /// See [`Rule::class`].
    #[serde(default)]
    pub classes: Vec<String>,
    /// See [`Rule::at_least`].
    #[serde(default)]
    pub at_least: Option<String>,
    /// See [`Rule::detector`].
    #[serde(default)]
    pub detectors: Vec<String>,
    /// See [`Rule::tool`].
    #[serde(default)]
    pub tools: Vec<String>,
    /// See [`Rule::denial`].
    #[serde(default)]
    pub denials: Vec<String>,
    /// See [`Rule::outcome`].
    #[serde(default)]
    pub outcomes: Vec<String>,
    /// See [`Rule::action`].
    #[serde(default)]
    pub actions: Vec<String>,
    /// See [`Rule::by`].
    #[serde(default)]
    pub by: Vec<By>,
    /// See [`Rule::threshold`].
    #[serde(default)]
    pub count: Option<u32>,
    /// See [`Rule::threshold`].
    #[serde(default)]
    pub window_seconds: Option<u64>,
    /// See [`Rule::cool_down`].
    #[serde(default)]
    pub cool_down_seconds: Option<u64>,
    /// See [`Rule::groups`].
    #[serde(default)]
    pub groups: Option<u32>,
}

impl AlertsConfig {
    /// What it says, to be built; further receivers may be added before.
    ///
    /// # Errors
    ///
    /// If a rule or a receiver is refused.
    pub fn builder(self) -> Result<AlertsBuilder, AlertsConfigError> {
        let recommended = match self.recommended {
            true => Rules::recommended(),
            false => Rules::new(),
        };
        let mut without = self.without.iter();
        let rules = without.try_fold(recommended, |rules, name| rules.without(name))?;
        let mut further = self.rules.iter().map(RuleConfig::rule);
        let rules = further.try_fold(rules, |rules, rule| rules.rule(rule?))?;
        let mut builder = Alerts::by(rules);
        if self.tracing {
            builder = builder.send_to(Outbox::to("tracing", TracingReceiver::new())?);
        }
        #[cfg(feature = "webhook")]
        for webhook in &self.webhooks {
            builder = builder.send_to(webhook.outbox()?);
        }
        Ok(builder)
    }
}

impl RuleConfig {
    fn rule(&self) -> Result<Rule, AlertsConfigError> {
        let mut rule = Rule::new(&self.name)?;
        if let Some(word) = &self.severity {
            rule = rule.severity(severity("severity", word)?);
        }
        if let Some(word) = &self.at_least {
            rule = rule.at_least(severity("at_least", word)?);
        }
        for event in &self.events {
            rule = rule.event(event)?;
        }
        for class in &self.classes {
            rule = rule.class(known("class", class, Classes::named(class))?)?;
        }
        for detector in &self.detectors {
            rule = rule.detector(detector)?;
        }
        for tool in &self.tools {
            rule = rule.tool(tool)?;
        }
        for action in &self.actions {
            rule = rule.action(action)?;
        }
        for denial in &self.denials {
            let mut kinds = DenialKind::ALL.iter();
            let kind = kinds.find(|kind| kind.name() == denial);
            rule = rule.denial(*known("denial", denial, kind)?);
        }
        for outcome in &self.outcomes {
            let mut outcomes = Outcome::ALL.into_iter();
            let found = outcomes.find(|known| known.name() == outcome);
            rule = rule.outcome(known("outcome", outcome, found)?);
        }
        rule = self.by.iter().fold(rule, |rule, by| rule.by(*by));
        let count = self.count.unwrap_or(rule.count);
        let window = self.window_seconds.map(Duration::from_secs);
        let window = window.unwrap_or(rule.window);
        rule = rule.threshold(count, window)?;
        if let Some(seconds) = self.cool_down_seconds {
            rule = rule.cool_down(Duration::from_secs(seconds))?;
        }
        match self.groups {
            Some(groups) => rule.groups(groups),
            None => Ok(rule),
        }
    }
}

fn severity(setting: &'static str, word: &str) -> Result<Severity, AlertsConfigError> {
    let mut all = Severity::ALL.into_iter();
    known(setting, word, all.find(|known| known.name() == word))
}

fn known<T>(setting: &'static str, word: &str, found: Option<T>) -> Result<T, AlertsConfigError> {
    found.ok_or_else(|| AlertsConfigError::new(setting, word, "is no such word of records"))
}

/// Text that may hold a secret: `Debug` shows nothing of it, and its memory is overwritten when it goes.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct HiddenText(Zeroizing<String>);

impl From<String> for HiddenText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for HiddenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HiddenText(..)")
    }
}

#[cfg(feature = "webhook")]
mod webhook {
    use std::fmt;

    use serde::{
        Deserializer,
        de::{SeqAccess, Visitor},
    };

    use super::{AlertsConfigError, Deserialize, Duration, HiddenText, Outbox, severity};
    use crate::{Webhook, WebhookSecret};

    /// A [`Webhook`] and its [`Outbox`] as a file holds them.
    #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[non_exhaustive]
    pub struct WebhookConfig {
        /// Its name, which events tell.
        pub name: String,
        /// Where alerts are sent.
        pub url: HiddenText,
        /// What they are signed with, as [`WebhookSecret::parse`] reads it: one text, or a list of them.
        #[serde(deserialize_with = "texts")]
        pub secrets: Vec<HiddenText>,
        /// See [`Outbox::at_least`].
        #[serde(default)]
        pub at_least: Option<String>,
        /// See [`Outbox::capacity`].
        #[serde(default)]
        pub capacity: Option<usize>,
        /// See [`WebhookBuilder::timeout`](crate::WebhookBuilder::timeout).
        #[serde(default)]
        pub timeout_seconds: Option<u64>,
        /// See [`WebhookBuilder::attempts`](crate::WebhookBuilder::attempts).
        #[serde(default)]
        pub attempts: Option<u32>,
        /// See [`WebhookBuilder::allow_private_network`](crate::WebhookBuilder::allow_private_network).
        #[serde(default)]
        pub allow_private_network: bool,
        /// See [`WebhookBuilder::through_proxies`](crate::WebhookBuilder::through_proxies).
        #[serde(default)]
        pub through_proxies: bool,
        /// See [`WebhookBuilder::danger_allow_http`](crate::WebhookBuilder::danger_allow_http).
        #[serde(default)]
        pub danger_allow_http: bool,
        /// See [`WebhookBuilder::danger_allow_this_machine`](crate::WebhookBuilder::danger_allow_this_machine).
        #[serde(default)]
        pub danger_allow_this_machine: bool,
    }

    /// One text needs no list: the error about that would show it.
    fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<HiddenText>, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Vec<HiddenText>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a list of them")
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(vec![text.to_owned().into()])
            }

            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(vec![text.into()])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(texts)
            }
        }

        from.deserialize_any(Texts)
    }

    impl WebhookConfig {
        pub(super) fn outbox(&self) -> Result<Outbox, AlertsConfigError> {
            let mut secrets = self
                .secrets
                .iter()
                .map(|text| WebhookSecret::parse(&text.0));
            let none = || AlertsConfigError::new("webhook's secrets", &*self.name, "are none");
            let first = secrets.next().ok_or_else(none)??;
            let mut webhook = Webhook::to(&self.url.0, first);
            for secret in secrets {
                webhook = webhook.also_signed_with(secret?);
            }
            if let Some(seconds) = self.timeout_seconds {
                webhook = webhook.timeout(Duration::from_secs(seconds));
            }
            if let Some(attempts) = self.attempts {
                webhook = webhook.attempts(attempts);
            }
            if self.allow_private_network {
                webhook = webhook.allow_private_network();
            }
            if self.through_proxies {
                webhook = webhook.through_proxies();
            }
            if self.danger_allow_http {
                webhook = webhook.danger_allow_http();
            }
            if self.danger_allow_this_machine {
                webhook = webhook.danger_allow_this_machine();
            }
            let mut outbox = Outbox::to(&self.name, webhook.build()?)?;
            if let Some(word) = &self.at_least {
                outbox = outbox.at_least(severity("at_least", word)?);
            }
            match self.capacity {
                Some(capacity) => outbox.capacity(capacity),
                None => Ok(outbox),
            }
        }
    }
}

#[cfg(feature = "webhook")]
pub use webhook::WebhookConfig;

#[cfg(test)]
mod tests;
