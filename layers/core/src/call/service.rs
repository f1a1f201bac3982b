use std::sync::Arc;

use http::{HeaderMap, Response};

use super::{Call, CallGuard, CallGuardFuture, CallLimits, JudgeCall, MirroredParams};
use crate::{Denial, ResponseBody, SecurityContext, admit, refuse};

/// The service of [`CallLayer`](super::CallLayer).
pub type CallService<S> = CallGuard<S, CallRules>;

/// The future of [`CallService`].
pub type CallFuture<S, ReqB, ResB> = CallGuardFuture<S, CallRules, ReqB, ResB>;

/// What [`CallLayer`](super::CallLayer) judges by, once the call is read.
#[derive(Debug, Clone, Default)]
pub struct CallRules {
    pub(super) limits: CallLimits,
    pub(super) params: Option<Arc<MirroredParams>>,
}

impl JudgeCall for CallRules {
    type Pass = ();

    fn limits(&self) -> CallLimits {
        self.limits
    }

    fn judge(
        &self,
        call: &Call,
        headers: &HeaderMap,
        context: &SecurityContext,
    ) -> Result<(), Denial> {
        if let Some(params) = &self.params {
            params.check(call, headers)?;
        }
        admit!("call", context, "call_read");
        Ok(())
    }

    fn refuse<B>(&self, context: &SecurityContext, denial: Denial) -> Response<ResponseBody<B>> {
        refuse!("call", context, denial)
    }
}
