use std::{error::Error, fmt};

use crate::{Denial, ResponseBody, SecurityContext, refuse};

/// Why a handler that asks for its [`Caller`](super::Caller) did not run, or did not go on.
///
/// In axum it is a response, in rmcp an `ErrorData`. Logged and recorded when it becomes one.
#[derive(Debug, Clone)]
pub struct CallerRejection {
    denial: Denial,
    context: SecurityContext,
}

impl CallerRejection {
    pub(super) fn new(denial: Denial, context: SecurityContext) -> Self {
        Self { denial, context }
    }

    /// The refusal.
    pub fn denial(&self) -> &Denial {
        &self.denial
    }

    /// The refusal as an answer, logged and recorded.
    pub fn into_answer<B>(self) -> http::Response<ResponseBody<B>> {
        refuse!("caller", &self.context, self.denial)
    }
}

impl fmt::Display for CallerRejection {
    /// What the caller may be told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.denial.message())
    }
}

impl Error for CallerRejection {}
