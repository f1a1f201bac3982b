//! One authentication layer over one or several authenticators.
//!
//! What the layer decides, in this order:
//!
//! 1. Credentials are marked sensitive, so that no `Debug` of the headers shows them:
//!    `Authorization`, `Proxy-Authorization`, `DPoP`, `X-API-Key`, `API-Key`, and whatever fields
//!    the authenticators name.
//! 2. A repeated `Authorization` field, one that is not visible ASCII, and a recognized scheme
//!    without a value: 400 `invalid_request` (AC-6).
//! 3. No credential that an authenticator recognizes:
//!    - a principal other than the anonymous was stamped by another layer: forward;
//!    - [`allow_anonymous`](AuthLayer::allow_anonymous) and no credential of any kind: forward as
//!      [`Principal::anonymous`](crate::Principal::anonymous);
//!    - otherwise 401 with every authenticator's challenge, Bearer first, and no error (AC-1, AC-4).
//! 4. Credentials in two places: 400 `invalid_request` (AC-6). What the connection has, a client
//!    certificate, identifies only a request that presents nothing itself: beside a token it is no second
//!    credential, and no way out if the token is refused.
//! 5. The authenticator judges the credential; its refusal is the answer.
//! 6. Another layer stamped a different principal, or the same with other authority: 400.
//! 7. The principal is stamped, and the request goes on without credentials of any kind (TV-15).
//!    So combine authenticators with [`or`](AuthLayer::or), not by stacking layers.
//! 8. An answer that is an event stream ends with what identified its caller: at once if the caller
//!    listens on it, and after [`call_grace`](AuthLayer::call_grace) if it answers a call (TV-20). Where
//!    the authenticator asks [`Revocations`], either ends at the first event after it was revoked.
//!
//! The layer never reads the body, so a bad token wins over a bad body (TV-1), and it knows no
//! connection or session, so every request is judged on its own (AC-10). Tokens in the query or
//! in cookies are not looked at (AC-8, TV-19).

mod asked;
mod authenticator;
mod credentials;
mod decide;
mod feed;
mod fields;
mod future;
mod layer;
mod lifetime;
mod revocations;
mod revoked;
mod service;

pub use authenticator::{Authenticator, Identified, PendingVerification, Verification};
pub use credentials::{Authorization, CredentialPlace, Credentials};
pub use feed::{Feed, FeedTaken};
pub use future::AuthFuture;
pub use layer::AuthLayer;
pub use revocations::{Distrust, NotRevoked, Revocations};
pub use service::Auth;
