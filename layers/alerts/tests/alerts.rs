//! Alerts as their users see them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included"
)]

mod alerts {
    pub(crate) mod common;
    #[cfg(feature = "webhook")]
    pub(crate) mod pager;

    #[cfg(feature = "webhook")]
    mod dead_receivers;
    mod log;
    mod matching;
    mod quiet;
    mod receivers;
    mod recommended;
    #[cfg(feature = "webhook")]
    mod webhooks;
}
