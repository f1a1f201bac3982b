use bartizan_core::{Principal, PrincipalKind};

/// The identity that an id is bound to: issuer, subject, client, and what sort of party it is (TV-16).
#[derive(Debug, Clone)]
pub(crate) struct Binding(Principal);

/// What is wrapped. An id of one sort does not open as one of another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose<'a> {
    Session,
    /// An event of a session: it opens in no other, not even of the same principal (SE-4).
    Event {
        session: &'a [u8],
    },
    /// A task, whose owner is kept.
    Task,
}

impl Binding {
    pub(crate) fn of(principal: &Principal) -> Self {
        Self(principal.clone())
    }

    /// What the key vouches for beside the id. Each part is authenticated as one, so that `ab`, `c`
    /// is not `a`, `bc`.
    pub(crate) fn parts<'a>(&'a self, purpose: Purpose<'a>) -> [&'a [u8]; 7] {
        let principal = &self.0;
        let kind: &[u8] = match principal.kind() {
            PrincipalKind::Anonymous => b"anonymous",
            PrincipalKind::User => b"user",
            PrincipalKind::Service => b"service",
            _ => b"other",
        };
        let (label, session): (&[u8], &[u8]) = match purpose {
            Purpose::Session => (b"session", b""),
            Purpose::Task => (b"task", b""),
            Purpose::Event { session } => (b"event", session),
        };
        let client = principal.client_id();
        [
            label,
            session,
            kind,
            principal.issuer().as_bytes(),
            principal.subject().as_bytes(),
            // No client is not a client without a name.
            client.map_or(b"no client", |_| b"client"),
            client.map_or(b"", str::as_bytes),
        ]
    }
}
