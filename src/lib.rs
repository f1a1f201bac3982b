#![doc = include_str!("../README.md")]

pub use bartizan_core::*;

#[cfg(feature = "alerts")]
#[doc(inline)]
pub use bartizan_alerts::{self as alerts, Alerts};
#[cfg(feature = "apikey")]
#[doc(inline)]
pub use bartizan_apikey::{self as apikey, ApiKeyLayer, ApiKeys};
#[cfg(feature = "audit")]
#[doc(inline)]
pub use bartizan_audit::{self as audit, AuditLayer, JsonLines};
#[cfg(feature = "cors")]
#[doc(inline)]
pub use bartizan_cors::{self as cors, CorsLayer};
#[cfg(feature = "detect")]
#[doc(inline)]
pub use bartizan_detect::{self as detect, Detectors};
#[cfg(feature = "headers")]
#[doc(inline)]
pub use bartizan_headers::{self as headers, SecurityHeadersLayer};
#[cfg(feature = "jwt")]
#[doc(inline)]
pub use bartizan_jwt::{self as jwt, JwtLayer, JwtVerifier};
#[cfg(feature = "network")]
#[doc(inline)]
pub use bartizan_network::{self as network, NetworkLayer};
#[cfg(feature = "oauth")]
#[doc(inline)]
pub use bartizan_oauth::{self as oauth, OAuthLayer, OpaqueVerifier};
#[cfg(feature = "ratelimit")]
#[doc(inline)]
pub use bartizan_ratelimit::{self as ratelimit, AddressLimitLayer, RateLimitLayer};
#[cfg(feature = "rbac")]
#[doc(inline)]
pub use bartizan_rbac::{self as rbac, RbacLayer};
#[cfg(feature = "session")]
#[doc(inline)]
pub use bartizan_session::{self as session, SessionLayer, TaskOwnerLayer};
#[cfg(feature = "validate")]
#[doc(inline)]
pub use bartizan_validate::{self as validate, ValidateLayer};

#[cfg(feature = "redis")]
#[doc(inline)]
pub use bartizan_redis::{self as redis, SharedRevocations};

pub mod guide;

#[cfg(any(feature = "axum", feature = "rmcp"))]
mod caller;
#[cfg(any(feature = "axum", feature = "rmcp"))]
pub use caller::{Caller, CallerRejection, Need};
