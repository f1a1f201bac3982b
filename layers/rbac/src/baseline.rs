use bartizan_core::CallKind;

use crate::{Operation, needs::Access};

/// What needs no rule, unless the baseline is switched off: whom it is open to, and how records
/// call it.
pub(crate) fn baseline(operation: &Operation<'_>) -> Option<(Access, &'static str)> {
    let open = Some((Access::Anyone, "lifecycle"));
    match (operation.kind(), operation.method_name()) {
        (CallKind::Response | CallKind::Stream | CallKind::EndSession, _) => open,
        (CallKind::Request, "initialize" | "server/discover" | "ping") => open,
        (
            CallKind::Notification,
            "notifications/initialized"
            | "notifications/cancelled"
            | "notifications/progress"
            | "notifications/roots/list_changed",
        ) => open,
        (
            CallKind::Request,
            "tools/list" | "resources/list" | "resources/templates/list" | "prompts/list",
        ) => Some((Access::Identified, "lists")),
        _ => None,
    }
}
