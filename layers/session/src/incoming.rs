use std::fmt;

use bartizan_core::{Denial, DenialKind, SecurityContext, call::Revision};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    SessionKeys,
    binding::{Binding, Purpose},
};

pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const PROTOCOL_VERSION: &str = "mcp-protocol-version";

/// What requests are judged by.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) keys: SessionKeys,
    pub(crate) anonymous: bool,
}

/// A request that goes on: inwards its headers name only what was its principal's.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Whom a session would belong to that the answer begins; `None` if it may begin none.
    pub(crate) binding: Option<Binding>,
    /// The inner id of the session that the request is part of.
    pub(crate) session: Option<InnerId>,
    /// What is said of it in a record.
    pub(crate) kind: &'static str,
}

/// An id as the inner service knows it. It shows nothing of itself: whoever learns it needs no principal
/// where the service can be reached without this layer (SE-7).
#[derive(Clone)]
pub(crate) struct InnerId(pub(crate) Vec<u8>);

impl fmt::Debug for InnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InnerId(..)")
    }
}

impl Rules {
    /// Puts the inner ids in the place of the wrapped ones, if they are this principal's.
    pub(crate) fn admit(
        &self,
        headers: &mut HeaderMap,
        context: &SecurityContext,
    ) -> Result<Admitted, Denial> {
        let Some(principal) = context.principal() else {
            let reason = "no principal: an authentication layer has to stand outside this one";
            return Err(Denial::new(DenialKind::Forbidden, reason));
        };
        let is_bindable = self.anonymous || !principal.is_anonymous();
        if is_modern(headers) {
            headers.remove(SESSION_ID);
            headers.remove(LAST_EVENT_ID);
            return Ok(Admitted {
                binding: is_bindable.then(|| Binding::of(principal)),
                session: None,
                kind: "stateless",
            });
        }
        if !is_bindable {
            return Err(nobody(context));
        }
        let binding = Binding::of(principal);
        let session = self.session(headers, &binding)?;
        self.last_event(headers, &binding, session.as_ref())?;
        let kind = session.as_ref().map_or("no_session", |_| "session_owned");
        Ok(Admitted {
            binding: Some(binding),
            session,
            kind,
        })
    }

    fn session(
        &self,
        headers: &mut HeaderMap,
        binding: &Binding,
    ) -> Result<Option<InnerId>, Denial> {
        let Some(wrapped) = single(headers, &SESSION_ID)? else {
            return Ok(None);
        };
        let session = self
            .keys
            .unseal(binding, Purpose::Session, wrapped.as_bytes())
            .ok_or_else(|| unknown("the session id was not issued to this principal"))?;
        put(headers, SESSION_ID, &session)?;
        Ok(Some(InnerId(session)))
    }

    /// An event opens only in the session that it is of: a store of events that several sessions
    /// share would replay any of them to anybody (SE-4).
    fn last_event(
        &self,
        headers: &mut HeaderMap,
        binding: &Binding,
        session: Option<&InnerId>,
    ) -> Result<(), Denial> {
        let Some(wrapped) = single(headers, &LAST_EVENT_ID)? else {
            return Ok(());
        };
        let Some(InnerId(session)) = session else {
            return Err(unknown("an event id without a session"));
        };
        let event = self
            .keys
            .unseal(binding, Purpose::Event { session }, wrapped.as_bytes())
            .ok_or_else(|| unknown("the event id was not issued in this session"))?;
        put(headers, LAST_EVENT_ID, &event)
    }
}

/// Whether the request declares a revision without sessions: those ignore both ids (SE-5). Who
/// declares it to no purpose has none.
fn is_modern(headers: &HeaderMap) -> bool {
    let mut versions = headers.get_all(PROTOCOL_VERSION).iter();
    let (Some(version), None) = (versions.next(), versions.next()) else {
        return false;
    };
    let revision = version.to_str().ok().and_then(Revision::parse);
    revision.is_some_and(Revision::is_modern)
}

fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h HeaderValue>, Denial> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (first, None) => Ok(first),
        _ => Err(unknown("a session or event id is repeated")),
    }
}

/// Sensitive, so that what prints headers does not print it (SE-7).
fn put(headers: &mut HeaderMap, name: HeaderName, id: &[u8]) -> Result<(), Denial> {
    let mut value = HeaderValue::from_bytes(id)
        .map_err(|_| unknown("the event id does not fit into a header"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// The one answer to whatever is not this principal's, whether or not it exists (SE-2, SE-3).
fn unknown(reason: &'static str) -> Denial {
    Denial::new(DenialKind::SessionUnknown, reason)
}

/// Nobody in particular can own no session; a challenge says how to become somebody.
pub(crate) fn nobody(context: &SecurityContext) -> Denial {
    let challenges = context.challenges();
    let kind = match challenges {
        [] => DenialKind::Forbidden,
        _ => DenialKind::CredentialsMissing,
    };
    Denial::new(kind, "sessions need an identified principal").with_challenges(challenges.to_vec())
}
