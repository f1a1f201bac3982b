use std::sync::Arc;

use bartizan_core::{
    Call, CallLimits, Denial, DenialKind, ResponseBody, SecurityContext, admit,
    call::{CallGuard, CallGuardFuture, JudgeCall},
    refuse,
};
use http::{HeaderMap, Response};

use crate::{
    ArgumentLimits, answer,
    document::{Document, Refused},
    layer::Tools,
};

/// The service of [`ValidateLayer`](crate::ValidateLayer).
pub type Validate<S> = CallGuard<S, ValidateRules>;

/// The future of [`Validate`].
pub type ResponseFuture<S, ReqB, ResB> = CallGuardFuture<S, ValidateRules, ReqB, ResB>;

/// What [`Validate`] judges by.
#[derive(Debug, Clone, Default)]
pub struct ValidateRules {
    pub(crate) call_limits: CallLimits,
    pub(crate) limits: ArgumentLimits,
    pub(crate) tools: Arc<Tools>,
}

impl JudgeCall for ValidateRules {
    type Pass = ();

    fn limits(&self) -> CallLimits {
        self.call_limits
    }

    fn judge(&self, call: &Call, _: &HeaderMap, context: &SecurityContext) -> Result<(), Denial> {
        if call.method() != "tools/call" {
            admit!("validate", context, "no_tool");
            return Ok(());
        }
        let own = call.name().and_then(|tool| self.tools.get(tool));
        let limits = own.unwrap_or(&self.limits);
        // Servers take `null` for no arguments, and none for an empty object.
        let text = call.arguments().filter(|text| *text != "null");
        match Document::read(text.unwrap_or("{}"), limits) {
            Ok(_) => {
                admit!("validate", context, "arguments_fit");
                Ok(())
            }
            Err(Refused::Limit(violation)) => Err(answer::refused(call, &[*violation])),
            // The call was read strictly before.
            Err(Refused::Broken) => {
                let reason = "arguments that were read are no JSON";
                Err(Denial::new(DenialKind::Internal, reason))
            }
        }
    }

    fn refuse<B>(&self, context: &SecurityContext, denial: Denial) -> Response<ResponseBody<B>> {
        refuse!("validate", context, denial)
    }
}
