//! The methods of the protocol, by which a tier may count.

/// The methods by which a client finds out what the server speaks (RL-10).
pub(crate) const DISCOVERY: [&str; 2] = ["server/discover", "initialize"];

/// Asks whether anybody is there. A client that is refused it may take the server for dead.
pub(crate) const PING: &str = "ping";

/// Those of any revision; all others share a bucket, so that inventing one earns nothing.
const KNOWN: [&str; 31] = [
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "notifications/cancelled",
    "notifications/elicitation/complete",
    "notifications/elicitation/response",
    "notifications/initialized",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/directory/read",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "skills/get",
    "skills/list",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/delete",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/update",
    "tools/call",
    "tools/list",
];

/// Whether a method's answer is a stream that its client listens on.
pub(crate) fn is_listened_on(method: &str) -> bool {
    method == "subscriptions/listen"
}

/// Whether it takes from buckets of its own only.
pub(crate) fn is_apart(method: &str) -> bool {
    method == PING || DISCOVERY.contains(&method)
}

/// The name that a method counts under.
pub(crate) fn counted_as(method: &str) -> &'static str {
    KNOWN
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
