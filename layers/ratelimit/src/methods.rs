//! The methods of the protocol, by which a tier may count.

use bartizan_core::names::METHODS;

/// The methods by which a client finds out what the server speaks (RL-10).
pub(crate) const DISCOVERY: [&str; 2] = ["server/discover", "initialize"];

/// Asks whether anybody is there. A client that is refused it may take the server for dead.
pub(crate) const PING: &str = "ping";

/// Whether a method's answer is a stream that its client listens on.
pub(crate) fn is_listened_on(method: &str) -> bool {
    method == "subscriptions/listen"
}

/// Whether a client finds out by it what the server speaks.
pub(crate) fn is_discovery(method: &str) -> bool {
    DISCOVERY.contains(&method)
}

/// Whether it takes from buckets of its own only.
pub(crate) fn is_apart(method: &str) -> bool {
    method == PING || is_discovery(method)
}

/// The name that a method counts under: all that MCP does not know share a bucket, so that inventing one earns nothing.
pub(crate) fn counted_as(method: &str) -> &'static str {
    METHODS
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
