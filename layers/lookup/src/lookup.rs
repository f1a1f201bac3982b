use std::{future::Future, pin::Pin, time::Duration};

use bartizan_core::Principal;
use bartizan_token::Fault;

use crate::Interest;

/// Asks what a credential stands for.
pub trait Lookup: Send + Sync + 'static {
    /// What is asked with. It is kept until the answer is there, so one that is secret should overwrite
    /// itself when it goes.
    type Question: Send + 'static;

    /// What is known of a credential that is good.
    type Found: Found;

    /// Asks. However long it takes, it is given up after [`Settings::timeout`](crate::Settings::timeout). It
    /// goes on if nobody waits any more, since what it finds is remembered, unless it looks after `interest`.
    fn look_up<'a>(
        &'a self,
        question: &'a Self::Question,
        interest: &'a Interest,
    ) -> Looking<'a, Self::Found>;
}

/// What was found: of a good credential what it stands for, of a bad one what is wrong with it, or why
/// nothing is known.
pub type Looking<'a, F> =
    Pin<Box<dyn Future<Output = Result<Result<F, Fault>, Trouble>> + Send + 'a>>;

/// What a good credential stands for. It is remembered, so it holds no credential, and cloned for each
/// request.
pub trait Found: Clone + Send + Sync + 'static {
    /// Who calls with it.
    fn principal(&self) -> &Principal;

    /// About how many bytes it takes beyond those of a usual one.
    fn bytes(&self) -> usize;
}

impl Found for Principal {
    fn principal(&self) -> &Principal {
        self
    }

    /// It grows with the answer that it was read from.
    fn bytes(&self) -> usize {
        serde_json::to_string(self.claims()).map_or(0, |text| text.len())
    }
}

/// Nothing is known of the credential, since who was asked did not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// For the operator.
    pub reason: String,
    /// When the provider wants to be asked again.
    pub retry_after: Option<Duration>,
    /// Whether this server has asked as often as it may.
    pub is_limit: bool,
    /// Against whom it counts.
    pub blame: Blame,
}

/// Against whom a trouble counts. Strangers must not be able to keep others from the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// The provider, and so against all who ask; of a credential that was never good only against others
    /// that never were, since it may be the credential all the same.
    Provider,
    /// Nobody, not even the credential: this server has no room for the question at the moment. What was known
    /// stands, and nothing is remembered.
    Room,
    /// The same, of a credential of which it is known that it is not good: what was known stands no more, so that
    /// whoever takes up all the room prolongs nothing by it.
    Outdated,
    /// Nobody: it may be the credential that the provider does not like.
    Nobody,
    /// Whoever has the credential: a question that is asked with it is answered by what its user may do,
    /// and has left.
    Caller,
}

impl Trouble {
    /// One that is the provider's.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            retry_after: None,
            is_limit: false,
            blame: Blame::Provider,
        }
    }

    /// The same, counted against somebody else.
    #[must_use]
    pub fn blamed_on(self, blame: Blame) -> Self {
        Self { blame, ..self }
    }

    /// The same, with when the provider wants to be asked again, and whether this server has asked as
    /// often as it may.
    #[must_use]
    pub fn with_wish(self, retry_after: Option<Duration>, is_limit: bool) -> Self {
        Self {
            retry_after,
            is_limit,
            ..self
        }
    }
}
