//! The detectors behind the audit layer, as their users have them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included"
)]

mod detect {
    pub(crate) mod stage;

    mod accounts;
    mod closings;
    mod credentials;
    mod floods;
    mod honey;
    mod strangers;
}
