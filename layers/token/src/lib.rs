#![doc = include_str!("../README.md")]

mod audience;
mod canonical;
mod challenges;
mod claim_path;
mod date;
mod error;
mod identity;
/// JSON that every parser reads alike.
pub mod json;
mod metadata;
mod metadata_service;
mod required;
mod resource;
mod sort;
mod token_cache;

pub use audience::Audiences;
pub use canonical::canonical;
pub use challenges::{ChallengeFault, ChallengeSettings, Challenges, INVALID_TOKEN};
pub use date::numeric_date;
pub use error::TokenConfigError;
pub use identity::{ClaimMap, ClaimNames};
pub use metadata::{MetadataSettings, ProtectedResourceMetadata};
pub use metadata_service::MetadataService;
pub use required::RequiredClaim;
pub use resource::Resource;
pub use sort::judge_marks;
pub use token_cache::{Fingerprint, TokenCache};

/// Why a token is refused: for the operator, never for the caller (AL-3).
pub type Fault = &'static str;
