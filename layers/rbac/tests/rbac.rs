//! The layer as its users see it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of these tests are tests too"
)]

#[path = "rbac/common.rs"]
mod common;

#[path = "rbac/annotations.rs"]
mod annotations;
#[path = "rbac/approvals.rs"]
mod approvals;
#[path = "rbac/approvals_bound.rs"]
mod approvals_bound;
#[path = "rbac/approvals_http.rs"]
mod approvals_http;
#[path = "rbac/build.rs"]
mod build;
#[cfg(feature = "cedar")]
#[path = "rbac/cedar.rs"]
mod cedar;
#[path = "rbac/combined.rs"]
mod combined;
#[path = "rbac/conditions.rs"]
mod conditions;
#[path = "rbac/credentials.rs"]
mod credentials;
#[path = "rbac/engines.rs"]
mod engines;
#[path = "rbac/explained.rs"]
mod explained;
#[cfg(feature = "files")]
#[path = "rbac/files.rs"]
mod files;
#[path = "rbac/grants.rs"]
mod grants;
#[path = "rbac/hidden.rs"]
mod hidden;
#[path = "rbac/honey.rs"]
mod honey;
#[path = "rbac/limits.rs"]
mod limits;
#[path = "rbac/lint.rs"]
mod lint;
#[path = "rbac/lists.rs"]
mod lists;
#[path = "rbac/methods.rs"]
mod methods;
#[path = "rbac/others.rs"]
mod others;
#[path = "rbac/placeholders.rs"]
mod placeholders;
#[path = "rbac/records.rs"]
mod records;
#[cfg(feature = "files")]
#[path = "rbac/replay.rs"]
mod replay;
#[path = "rbac/resources.rs"]
mod resources;
#[path = "rbac/roles.rs"]
mod roles;
#[path = "rbac/rules.rs"]
mod rules;
#[path = "rbac/scopes.rs"]
mod scopes;
#[path = "rbac/service.rs"]
mod service;
#[path = "rbac/subjects.rs"]
mod subjects;
#[path = "rbac/swaps.rs"]
mod swaps;
