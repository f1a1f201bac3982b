#![doc = include_str!("../README.md")]

mod annotations;
mod approvals;
mod asker;
mod baseline;
mod builder;
mod built_rule;
mod capabilities;
#[cfg(feature = "cedar")]
mod cedar;
mod challenges;
mod conditions;
#[cfg(feature = "serde")]
mod config;
mod decision;
mod engine;
mod error;
mod exceptions;
#[cfg(feature = "files")]
mod file;
mod grants;
mod handle;
mod hierarchy;
mod honey;
mod id;
mod in_force;
mod index;
mod judged;
mod layer;
mod lint;
mod lists;
mod moment;
mod needs;
mod operation;
mod policy;
mod presets;
mod reason;
mod reasons;
#[cfg(feature = "files")]
mod replay;
mod roles;
mod rule;
mod rules;
mod scopes;
mod service;
mod shadow;
mod told;
#[cfg(feature = "serde")]
mod unique;
mod unknown;
mod version;
mod watched;

pub use annotations::{Annotation, ToolAnnotations};
pub use approvals::{
    ApprovalError, ApprovalFuture, ApprovalId, ApprovalService, Approvals, ApprovalsBuilder,
    PendingApproval,
};
pub use builder::PolicyBuilder;
#[cfg(feature = "cedar")]
pub use cedar::{CEDAR_BASELINE, CEDAR_SCHEMA, CedarBuilder, CedarEngine, CedarError};
pub use conditions::{Argument, Attribute, Condition, Literal, Number, NumberRange};
#[cfg(feature = "serde")]
pub use conditions::{ConditionConfig, MemberPath};
#[cfg(feature = "serde")]
pub use config::{
    DecisionHeaderConfig, HoneyToolConfig, ListConfig, RbacConfig, RoleConfig, RuleConfig,
    UnknownConfig,
};
pub use decision::Decision;
pub use engine::{Answer, EngineError, PolicyEngine, Question};
pub use error::RbacConfigError;
#[cfg(feature = "files")]
pub use file::{PolicyFileError, PolicyWatch};
pub use grants::{GivenGrant, Giver, Grant, GrantError, GrantId, Grants, GrantsBuilder};
pub use handle::PolicyHandle;
pub use honey::HoneyTool;
pub use layer::RbacLayer;
pub use lint::{Catalog, LintError, LintFinding};
pub use lists::{ListBody, ListFilter, ListFuture};
pub use operation::{Arguments, Operation};
pub use policy::Policy;
pub use presets::Preset;
#[cfg(feature = "files")]
pub use replay::{BadLine, Difference, Replay, Untold};
pub use rule::Rule;
pub use service::{Rbac, RbacRules, ResponseFuture};
pub use told::Told;
pub use unknown::UnknownAnswer;
