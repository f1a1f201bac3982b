#![doc = include_str!("../README.md")]

mod builder;
#[cfg(feature = "attenuation")]
mod children;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod columns;
mod config;
#[cfg(test)]
mod equal_work;
#[cfg(all(unix, feature = "file"))]
mod file;
mod form;
mod grant;
mod hash;
mod honey;
#[cfg(feature = "imported")]
mod import;
#[cfg(feature = "imported")]
mod import_config;
#[cfg(feature = "imported")]
mod imported_form;
#[cfg(feature = "imported")]
mod imported_lookup;
#[cfg(feature = "imported")]
mod imports;
mod key_error;
mod key_id;
mod keys;
mod layer;
#[cfg(feature = "leaks")]
mod leaks;
mod letters;
mod lookup;
mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod open_error;
mod patience;
mod peppers;
#[cfg(feature = "postgres")]
mod postgres;
mod record;
mod records;
mod rotated_again;
mod secret;
mod slow_hash;
#[cfg(feature = "imported")]
mod slow_hashes;
#[cfg(feature = "imported")]
mod slow_throttle;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod uses;
mod verifier;
mod verifying_key;
mod warnings;

pub use bartizan_token::TokenConfigError as ApiKeyConfigError;
pub use builder::ApiKeysBuilder;
#[cfg(feature = "attenuation")]
pub use children::{Attenuation, AttenuationError, BlockId, HeldKey};
pub use config::ApiKeyConfig;
#[cfg(all(unix, feature = "file"))]
pub use file::{FileStore, KeyFileError};
pub use form::KeyForm;
pub use hash::{NoSecretHash, SecretHash};
#[cfg(feature = "imported")]
pub use import_config::{ImportConfig, Upgrade};
#[cfg(feature = "imported")]
pub use imported_form::{ImportedForm, PublicPart};
pub use key_error::KeyError;
pub use key_id::{KeyId, NoKeyId};
pub use keys::{ApiKeys, IssuedKey, USUAL_LIFE};
pub use layer::ApiKeyLayer;
#[cfg(feature = "leaks")]
pub use leaks::{LeakEndpoint, LeakFuture};
pub use memory::MemoryStore;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use open_error::OpenError;
pub use peppers::Peppers;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresBuilder, PostgresStore};
pub use record::{KeyGrant, KeyLimits, KeyRate, KeyRecord, OwnerKind, Revoked, Standing};
pub use slow_hash::{Argon2idCost, Argon2idHash, BcryptHash};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use store::{KeyStore, StoreError, StoreFuture};
pub use verifier::ApiKeyVerifier;
pub use verifying_key::{NoVerifyingKey, VerifyingKey};
