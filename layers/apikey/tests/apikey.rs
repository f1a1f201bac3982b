//! Keys, from their making to their end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[cfg(feature = "attenuation")]
#[path = "apikey/children/mod.rs"]
mod children;
#[path = "apikey/contract.rs"]
mod contract;
#[path = "apikey/counting.rs"]
mod counting;
#[cfg(all(unix, any(feature = "file", feature = "sqlite", feature = "postgres")))]
#[path = "apikey/crashes.rs"]
mod crashes;
#[cfg(all(unix, feature = "file"))]
#[path = "apikey/file.rs"]
mod file;
#[path = "apikey/honey.rs"]
mod honey;
#[cfg(feature = "imported")]
#[path = "apikey/imports.rs"]
mod imports;
#[path = "apikey/laws.rs"]
mod laws;
#[cfg(feature = "leaks")]
#[path = "apikey/leaks.rs"]
mod leaks;
#[path = "apikey/life.rs"]
mod life;
#[path = "apikey/made_up.rs"]
mod made_up;
#[path = "apikey/meanwhile.rs"]
mod meanwhile;
#[path = "apikey/mishaps.rs"]
mod mishaps;
#[path = "apikey/places.rs"]
mod places;
#[cfg(feature = "postgres")]
#[path = "apikey/postgres.rs"]
mod postgres;
#[path = "apikey/races.rs"]
mod races;
#[path = "apikey/records.rs"]
mod records;
#[path = "apikey/requests.rs"]
mod requests;
#[path = "apikey/rotations.rs"]
mod rotations;
#[cfg(feature = "imported")]
#[path = "apikey/slow.rs"]
mod slow;
#[cfg(feature = "sqlite")]
#[path = "apikey/sqlite.rs"]
mod sqlite;
#[path = "apikey/strangers.rs"]
mod strangers;
#[path = "apikey/support.rs"]
mod support;
#[path = "apikey/warnings.rs"]
mod warnings;
#[path = "apikey/whole_life.rs"]
mod whole_life;
