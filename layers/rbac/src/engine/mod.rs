//! Engines: who decides besides the rules of a policy.

mod answer;
mod question;

use std::{fmt, sync::Arc};

pub use answer::{Answer, EngineError};
pub(crate) use answer::{Outcome, Said};
use bartizan_core::guarded;
pub use question::Question;

use crate::{RbacConfigError, version};

/// Decides besides the rules of a [`Policy`](crate::Policy): what these admit is admitted if the engine
/// permits it too. [`PolicyBuilder::engine`](crate::PolicyBuilder::engine) takes one.
///
/// It is asked about everything that a request does and the rules admit: calls, notifications, posted
/// responses, the `GET` stream, the end of a session, each resource that `subscriptions/listen` names, and
/// each element of a list before it is shown. What it does not permit is refused like what no rule covers.
/// An error is refused as well, and so is a panic; records name the difference, and the caller is not told it.
///
/// It is asked on the request's way, so it answers from memory: what it needs from elsewhere, it fetches
/// beforehand, and a new engine comes with a new policy through
/// [`PolicyHandle::swap`](crate::PolicyHandle::swap). Of one question it is to give one answer, as
/// records may ask a second time.
///
/// ```
/// use bartizan_core::Principal;
/// use bartizan_rbac::{Answer, EngineError, Operation, Policy, PolicyEngine, Question, Rule};
///
/// /// Each tenant has tools of its own: `acme.read`.
/// struct Tenants;
///
/// impl PolicyEngine for Tenants {
///     fn decide(&self, question: &Question<'_>) -> Result<Answer, EngineError> {
///         let Some(name) = question.name() else {
///             return Ok(Answer::permit());
///         };
///         let tenant = question.principal().tenant().ok_or(EngineError::new("no tenant"))?;
///         let is_own = name.split_once('.').is_some_and(|(owner, _)| owner == tenant);
///         let answer = if is_own { Answer::permit() } else { Answer::forbid() };
///         Ok(answer.by(["own tools"]))
///     }
///
///     fn version(&self) -> &str {
///         "tenants-1"
///     }
/// }
///
/// let policy = Policy::builder().rule(Rule::tool("*").identified()).engine(Tenants).build()?;
/// let ann = Principal::user("https://auth.example.com", "ann").tenant("acme").build("jwt");
/// assert!(policy.decide(Some(&ann), &Operation::tool("acme.read")).is_admitted());
/// assert!(!policy.decide(Some(&ann), &Operation::tool("other.read")).is_admitted());
/// # Ok::<(), bartizan_rbac::RbacConfigError>(())
/// ```
pub trait PolicyEngine: Send + Sync + 'static {
    /// Whether it may be.
    ///
    /// # Errors
    ///
    /// If it cannot tell. That is refused.
    fn decide(&self, question: &Question<'_>) -> Result<Answer, EngineError>;

    /// How records call what it decides by, so that another text has another one: 1 to 64 characters of
    /// `A-Z a-z 0-9 - _ . : / + =`. Looked at once, when a policy is built.
    fn version(&self) -> &str;
}

impl<E: PolicyEngine + ?Sized> PolicyEngine for Arc<E> {
    fn decide(&self, question: &Question<'_>) -> Result<Answer, EngineError> {
        (**self).decide(question)
    }

    fn version(&self) -> &str {
        (**self).version()
    }
}

/// An engine of a policy.
#[derive(Clone)]
pub(crate) struct Engine {
    decides: Arc<dyn PolicyEngine>,
    version: Box<str>,
    /// How the record of a decision calls it.
    name: Arc<str>,
}

impl Engine {
    pub(crate) fn new(engine: impl PolicyEngine) -> Self {
        let version: Box<str> = engine.version().into();
        Self {
            decides: Arc::new(engine),
            name: format!("engine:{version}").into(),
            version,
        }
    }

    pub(crate) fn ask(&self, question: &Question<'_>) -> Said {
        let decided = guarded(|| self.decides.decide(question));
        let failed = || Err(EngineError::new("it panicked"));
        Said(decided.unwrap_or_else(failed))
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// # Errors
    ///
    /// If its version is none.
    pub(crate) fn version(&self) -> Result<&str, RbacConfigError> {
        version::check("engine version", &self.version)?;
        Ok(&self.version)
    }
}

/// One and the same.
impl PartialEq for Engine {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.decides, &other.decides)
    }
}

impl Eq for Engine {}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Engine").field(&self.version).finish()
    }
}
