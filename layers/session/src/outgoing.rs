use bartizan_core::{Denial, DenialKind, Media, ResponseBody, SecurityContext, refuse};
use http::{HeaderMap, HeaderValue, Response, header::CONTENT_LENGTH};

use crate::{
    SessionBody, SessionKeys,
    binding::{Binding, Purpose},
    events::EventIds,
    incoming::{InnerId, SESSION_ID},
};

/// What an answer is treated with.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) keys: SessionKeys,
    pub(crate) context: SecurityContext,
    pub(crate) binding: Option<Binding>,
    pub(crate) session: Option<InnerId>,
}

impl Exit {
    pub(crate) fn finish<B>(
        mut self,
        mut response: Response<B>,
    ) -> Response<ResponseBody<SessionBody<B>>> {
        if let Err(denial) = self.wrap_session(response.headers_mut()) {
            return refuse!("session", &self.context, denial);
        }
        let events = match (self.binding, self.session) {
            // Encoded ones can't be resumed, and others are none to any client.
            (Some(binding), Some(InnerId(session)))
                if Media::of(response.headers()) == Media::EventStream
                    && Media::is_plain(response.headers()) =>
            {
                // Wrapped ids are longer.
                response.headers_mut().remove(CONTENT_LENGTH);
                Some(EventIds::new(self.keys, binding, session))
            }
            _ => None,
        };
        response.map(|body| ResponseBody::inner(SessionBody::new(body, events)))
    }

    /// The client gets its id wrapped; the inner one never leaves (SE-3).
    fn wrap_session(&mut self, headers: &mut HeaderMap) -> Result<(), Denial> {
        let mut ids = headers.get_all(SESSION_ID).iter();
        let (id, again) = (ids.next(), ids.next());
        let Some(id) = id else {
            return Ok(());
        };
        let Some(binding) = &self.binding else {
            // Nobody's session, in a revision that has none.
            headers.remove(SESSION_ID);
            return Ok(());
        };
        if again.is_some() {
            return Err(unusable("the inner service sent several session ids"));
        }
        let wrapped = self.keys.seal(binding, Purpose::Session, id.as_bytes());
        let wrapped = wrapped.and_then(|text| HeaderValue::try_from(text).ok());
        let Some(mut wrapped) = wrapped else {
            return Err(unusable(
                "the inner service's session id is empty or too long",
            ));
        };
        wrapped.set_sensitive(true);
        self.session = Some(InnerId(id.as_bytes().to_vec()));
        headers.insert(SESSION_ID, wrapped);
        Ok(())
    }
}

fn unusable(reason: &'static str) -> Denial {
    Denial::new(DenialKind::Internal, reason)
}
