//! The workspace as a whole: its rules, and its layers together. One binary, a module per subject.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included"
)]

mod adversarial;
mod answers;
mod approvals;
mod arguments;
mod audit;
#[cfg(unix)]
mod audit_verify;
#[cfg(unix)]
mod audit_watch;
mod clients;
mod conformance;
mod contracts;
mod conventions;
mod decisions;
mod dependency_rule;
mod detection;
mod engines;
#[cfg(unix)]
mod examples;
mod hidden;
mod identity;
#[cfg(unix)]
mod keys;
mod keys_and_tokens;
#[cfg(unix)]
mod kills;
mod limits;
mod lists;
mod metrics;
mod mtls;
mod openid;
mod order;
mod owners;
mod readings;
mod redis;
mod replay;
mod revocations;
mod roles;
mod secrecy;
mod server;
mod sessions;
mod streams;
mod swaps;
mod tasks;
mod workspace;
