#![doc = include_str!("../README.md")]

mod address_slot;
mod body;
mod call_rate;
mod certificate;
mod challenge;
mod clock;
mod context;
mod correlation;
mod credential_limits;
#[cfg(feature = "current")]
mod current;
mod decided;
mod denial;
mod disguise;
mod events;
#[cfg(feature = "file")]
mod file;
mod future;
mod gathered;
mod guarded;
mod macros;
mod media;
pub mod names;
mod permissions;
mod principal;
mod refusal;
mod secret;
mod text;
mod trace;
mod trail;

#[cfg(feature = "auth")]
pub mod auth;
#[cfg(feature = "breaker")]
pub mod breaker;
#[cfg(feature = "call")]
pub mod call;
#[cfg(feature = "sse")]
pub mod sse;

#[cfg(feature = "auth")]
#[doc(inline)]
pub use auth::{AuthLayer, Authenticator};
pub use body::{RequestBody, ResponseBody};
#[cfg(feature = "call")]
#[doc(inline)]
pub use call::{Call, CallKind, CallLayer, CallLimits};
pub use call_rate::{CallRate, NoCallRate};
pub use certificate::ClientCertificate;
pub use challenge::{Challenge, ChallengeError};
pub use clock::{Clock, FakeClock, SystemClock};
pub use context::{AlreadyStamped, SecurityContext, Transport, identify};
pub use correlation::CorrelationId;
pub use credential_limits::{CredentialLimits, CredentialLimitsError};
#[cfg(feature = "current")]
pub use current::{Current, InForce};
pub use decided::Decided;
pub use denial::{Denial, DenialKind};
pub use disguise::Disguise;
pub use events::{Event, Events, Severity};
#[cfg(feature = "file")]
pub use file::{FileProblem, WholeFile};
pub use future::GuardFuture;
pub use gathered::Gathered;
pub use guarded::guarded;
pub use media::Media;
pub use permissions::Permissions;
pub use principal::{Account, Digester, Principal, PrincipalBuilder, PrincipalKind};
pub use refusal::scrub;
pub use secret::Secret;
pub use text::{Printable, printable, uri_without_secrets, write_json_string};
pub use trace::TraceParent;
pub use trail::{Finding, LateFindings, Trail, Verdict};

/// For the crate's own macros.
#[doc(hidden)]
pub mod __private {
    pub use crate::refusal::record_refusal;
    #[cfg(feature = "metrics")]
    pub use metrics;
    pub use tracing;
}
