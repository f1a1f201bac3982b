//! The layer as its users see it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included"
)]

mod audit {
    pub(crate) mod common;

    mod answers;
    mod carried;
    #[cfg(all(feature = "chain", unix))]
    mod chained;
    mod contract;
    mod ends;
    mod events;
    #[cfg(all(feature = "file", unix))]
    mod files;
    mod forms;
    mod honey;
    mod intent;
    mod json_lines;
    #[cfg(all(feature = "chain", unix))]
    mod killed;
    mod late;
    mod levels;
    #[cfg(feature = "opentelemetry")]
    mod otel;
    #[cfg(all(feature = "file", target_os = "linux"))]
    mod outages;
    mod pairs;
    mod properties;
    mod published;
    mod queue;
    mod record;
    mod room;
    mod secrets;
    #[path = "../../../sensitive/tests/sensitive/secrets.rs"]
    mod secrets_made;
    #[cfg(all(feature = "chain", feature = "serde", unix))]
    mod settings;
    mod tracing_events;
    #[cfg(all(feature = "chain", feature = "tracing-subscriber", unix))]
    mod watched;
}
