use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bartizan_core::{Denial, DenialKind, ResponseBody, SecurityContext, Trail, printable, refuse};
use http::Response;

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Characters of a panic's message that are logged.
const MAX_MESSAGE: usize = 512;

/// Runs foreign code. What it left half done is not used again by this request.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Payload> {
    catch_unwind(AssertUnwindSafe(run))
}

/// Tells the operator, and nobody else, what the panic said.
pub(crate) fn report(payload: Payload, context: &SecurityContext) {
    tracing::error!(
        target: "bartizan::headers",
        correlation_id = context.correlation_id().as_str(),
        panic = %printable(message(&payload), MAX_MESSAGE),
        "the inner service panicked"
    );
    // A payload is a value of the panicking code's choice, and its destructor may panic again.
    if let Err(second) = caught(|| drop(payload)) {
        mem::forget(second);
    }
}

/// The answer that takes the place of the one that never came.
pub(crate) fn answer<B>(context: &SecurityContext) -> Response<ResponseBody<B>> {
    let denial = Denial::new(DenialKind::Internal, "the inner service panicked");
    if context.trail().is_some_and(Trail::is_closed) {
        // The request's record says so already, and the log said it when the panic was caught.
        bartizan_core::__count!("headers", "refused");
        return denial.into_response(context);
    }
    refuse!("headers", context, denial)
}

fn message(payload: &Payload) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "(no text)"
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    fn said(run: impl FnOnce()) -> String {
        message(&caught(run).unwrap_err()).to_owned()
    }

    #[test]
    fn messages_are_read_from_every_usual_payload() {
        assert_eq!(said(|| panic!("static")), "static");
        let formatted = 7;
        assert_eq!(said(|| panic!("formatted {formatted}")), "formatted 7");
        assert_eq!(said(|| panic_any(7_u8)), "(no text)");
    }

    #[test]
    fn a_payload_that_panics_when_dropped_does_no_harm() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic_any(7_u8);
            }
        }
        let payload = caught(|| panic_any(Bomb)).unwrap_err();
        report(payload, &SecurityContext::default());
    }
}
