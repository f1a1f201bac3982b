//! Calls that a second principal has to approve.

mod answer;
mod approver;
mod bound;
mod builder;
mod decide;
mod error;
mod json;
mod parse;
mod pending;
mod service;
mod store;
mod table;

pub(crate) use answer::Answer;
pub(crate) use approver::NeededApprover;
pub use builder::ApprovalsBuilder;
pub use error::ApprovalError;
pub use pending::{ApprovalId, PendingApproval};
pub use service::{ApprovalFuture, ApprovalService};
pub use store::Approvals;
pub(crate) use store::Approved;
