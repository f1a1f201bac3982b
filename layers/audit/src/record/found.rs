use std::time::Duration;

use super::{
    Classes, EventId, MAX_DETAIL, MAX_NAME, Metadata, Record, Severity, Text,
    fields::{Fields, key},
};
use crate::gaps::Missing;

/// Something unusual that a [`Watcher`](crate::Watcher) found: what of, how much, and how much would be usual.
#[derive(Debug, Clone, Copy)]
pub struct Anomaly<'a> {
    detector: &'static str,
    feature: &'static str,
    severity: Severity,
    value: &'a str,
    baseline: &'a str,
    about: &'a str,
}

impl<'a> Anomaly<'a> {
    /// By a detector, in what it looks at; both are words like `rate` and `requests_per_minute`.
    pub const fn new(detector: &'static str, feature: &'static str, severity: Severity) -> Self {
        Self {
            detector,
            feature,
            severity,
            value: "",
            baseline: "",
            about: "",
        }
    }

    /// What was found, in up to 512 bytes.
    #[must_use]
    pub const fn value(self, value: &'a str) -> Self {
        Self { value, ..self }
    }

    /// What is usual, or the bound that is set, in up to 512 bytes.
    #[must_use]
    pub const fn baseline(self, baseline: &'a str) -> Self {
        Self { baseline, ..self }
    }

    /// Whom or what it is about, in up to 256 bytes. Text that a stranger chose is to be taken from a record, which is
    /// redacted.
    #[must_use]
    pub const fn about(self, about: &'a str) -> Self {
        Self { about, ..self }
    }
}

/// An alert that was raised, as the log shows it.
#[derive(Debug, Clone, Copy)]
pub struct Alert<'a> {
    rule: &'a str,
    severity: Severity,
    count: u64,
    about: &'a str,
    detail: &'a str,
}

impl<'a> Alert<'a> {
    /// By a rule, of one record.
    pub const fn new(rule: &'a str, severity: Severity) -> Self {
        Self {
            rule,
            severity,
            count: 1,
            about: "",
            detail: "",
        }
    }

    /// How many records it stands for.
    #[must_use]
    pub const fn count(self, count: u64) -> Self {
        Self { count, ..self }
    }

    /// Whom or what it is about, in up to 256 bytes.
    #[must_use]
    pub const fn about(self, about: &'a str) -> Self {
        Self { about, ..self }
    }

    /// What happened, as a person would say it, in up to 512 bytes.
    #[must_use]
    pub const fn detail(self, detail: &'a str) -> Self {
        Self { detail, ..self }
    }
}

/// What a record of type `anomaly` found, or for which rule one of type `alert` was raised.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Found<'a> {
    /// Who found it; empty of an alert.
    pub detector: &'static str,
    /// In what; empty of an alert.
    pub feature: &'static str,
    /// The rule; of an alert.
    pub rule: Option<Text<'a>>,
    /// What was found.
    pub value: Option<Text<'a>>,
    /// What is usual, or the bound that is set.
    pub baseline: Option<Text<'a>>,
    /// Whom or what it is about.
    pub about: Option<Text<'a>>,
    /// How many records it stands for; of an alert.
    pub count: Option<u64>,
    /// The record that showed it.
    pub event_id: Option<EventId>,
}

impl Found<'_> {
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let mut fields = Fields::begin(out);
        let word = |word: &'static str| Some(word).filter(|word| !word.is_empty());
        let text = |word| Text::new(word, MAX_NAME);
        fields.text_if(key!("detector"), word(self.detector).map(text));
        fields.text_if(key!("feature"), word(self.feature).map(text));
        fields.text_if(key!("rule"), self.rule);
        fields.text_if(key!("value"), self.value);
        fields.text_if(key!("baseline"), self.baseline);
        fields.text_if(key!("about"), self.about);
        if let Some(count) = self.count {
            fields.number(key!("count"), count);
        }
        if let Some(of) = self.event_id {
            of.write_json(fields.value(key!("event_id")));
        }
        fields.end();
    }
}

fn text(text: &str, limit: u32) -> Option<Text<'_>> {
    (!text.is_empty()).then(|| Text::new(text, limit))
}

impl<'a> Record<'a> {
    pub(crate) fn anomaly(at: Duration, of: Option<&Record<'a>>, anomaly: &Anomaly<'a>) -> Self {
        let found = Found {
            detector: anomaly.detector,
            feature: anomaly.feature,
            value: text(anomaly.value, MAX_DETAIL),
            baseline: text(anomaly.baseline, MAX_DETAIL),
            about: text(anomaly.about, MAX_NAME),
            ..Found::default()
        };
        Self {
            event_type: "anomaly",
            classes: Classes::ANOMALY,
            severity: anomaly.severity,
            result: "found",
            ..Self::found(at, of, found)
        }
    }

    pub(crate) fn alert(at: Duration, of: Option<&Record<'a>>, alert: &Alert<'a>) -> Self {
        let found = Found {
            rule: text(alert.rule, MAX_NAME),
            about: text(alert.about, MAX_NAME),
            count: Some(alert.count),
            ..Found::default()
        };
        let record = Self {
            event_type: "alert",
            severity: alert.severity,
            result: "raised",
            ..Self::found(at, of, found)
        };
        Self {
            metadata: Metadata {
                detail: text(alert.detail, MAX_DETAIL),
                ..record.metadata
            },
            ..record
        }
    }

    /// With whom it is of from the record that showed it.
    fn found(at: Duration, of: Option<&Record<'a>>, found: Found<'a>) -> Self {
        let none = Self::gap(at, Missing::default(), &[]);
        let found = Found {
            event_id: of.map(|of| of.event_id),
            ..found
        };
        let Some(of) = of else {
            return Self {
                metadata: Metadata {
                    found: Some(found),
                    ..Metadata::default()
                },
                ..none
            };
        };
        Self {
            user_id: of.user_id,
            user_role: of.user_role,
            tool_name: of.tool_name,
            resource_id: of.resource_id,
            action: of.action,
            ip_address: of.ip_address,
            user_agent: of.user_agent,
            correlation_id: of.correlation_id,
            trace: of.trace,
            identities: of.identities,
            metadata: Metadata {
                found: Some(found),
                principal_kind: of.metadata.principal_kind,
                auth_method: of.metadata.auth_method,
                issuer: of.metadata.issuer,
                client_id: of.metadata.client_id,
                tenant: of.metadata.tenant,
                credential_id: of.metadata.credential_id,
                masked: of.metadata.masked,
                ..Metadata::default()
            },
            ..none
        }
    }
}
