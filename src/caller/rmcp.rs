use http::{Extensions, request::Parts};
use rmcp::{
    ErrorData,
    handler::server::common::{AsRequestContext, FromContextPart},
    model::ErrorCode,
};

use super::{Caller, CallerRejection};

impl From<CallerRejection> for ErrorData {
    /// A JSON-RPC error: rmcp answers before a status could be chosen.
    fn from(rejection: CallerRejection) -> Self {
        let kind = rejection.denial().kind();
        let error = Self::new(ErrorCode(kind.rpc_code()), kind.message(), None);
        // There is no response to render here, but the refusal is logged and recorded.
        drop(rejection.into_answer::<()>());
        error
    }
}

impl<C: AsRequestContext> FromContextPart<C> for Caller {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        let none = Extensions::new();
        let extensions = &context.as_request_context().extensions;
        let found = extensions.get::<Parts>().map_or(&none, |p| &p.extensions);
        Ok(Self::find(found)?)
    }
}
