#![doc = include_str!("../README.md")]

mod alert;
mod alerts;
#[cfg(feature = "serde")]
mod config;
mod error;
mod groups;
mod outbox;
mod receiver;
mod rule;
mod tracing_receiver;
#[cfg(feature = "webhook")]
mod webhook;

pub use alert::{Alert, AlertKind, JSON_SCHEMA, RecordRef, SCHEMA};
pub use alerts::{Alerts, AlertsBuilder, Deliveries, NotDelivered};
#[cfg(all(feature = "serde", feature = "webhook"))]
pub use config::WebhookConfig;
#[cfg(feature = "serde")]
pub use config::{AlertsConfig, HiddenText, RuleConfig};
pub use error::AlertsConfigError;
pub use outbox::Outbox;
pub use receiver::{Delivery, Receiver, Undelivered};
pub use rule::{By, Rule, Rules};
pub use tracing_receiver::TracingReceiver;
#[cfg(feature = "webhook")]
pub use webhook::{
    VerifiedWebhook, Webhook, WebhookBuilder, WebhookRefused, WebhookSecret, WebhookVerifier,
};
