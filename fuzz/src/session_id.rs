use std::sync::LazyLock;

use bartizan_core::{Principal, identify};
use bartizan_session::{SessionKeys, SessionLayer};
use http::Request;

use crate::{
    lines::values,
    send::{Frames, send},
};

/// Whoever fuzzes may know the keys: what has to be found is a second text for one id.
pub(crate) static KEYS: LazyLock<SessionKeys> = LazyLock::new(|| {
    let secret = |first: u8| (first..first + 32).collect::<Vec<_>>();
    let keys = SessionKeys::new(secret(0)).and_then(|keys| keys.accept(secret(32)));
    keys.expect("the keys are fine")
});

static RETIRED: LazyLock<SessionKeys> = LazyLock::new(|| {
    let secret: Vec<u8> = (32..64).collect();
    SessionKeys::new(secret).expect("the key is fine")
});

pub(crate) static LAYER: LazyLock<SessionLayer> = LazyLock::new(|| SessionLayer::new(KEYS.clone()));

pub(crate) fn ann() -> Principal {
    Principal::user("https://auth.example.com", "ann").build("fuzz")
}

/// Arbitrary session ids, the last of two or more lines as an event id.
///
/// What passes is an id that a key of the layer wraps into this very text for this principal. All
/// else is answered 404 and does not arrive.
pub fn session_id(data: &[u8]) {
    let mut ids = values(data);
    let event = if ids.len() > 1 { ids.pop() } else { None };
    let mut request = Request::new(Frames::new(b"", 1));
    for id in &ids {
        request.headers_mut().append("mcp-session-id", id.clone());
    }
    if let Some(event) = &event {
        request.headers_mut().insert("last-event-id", event.clone());
    }
    identify(&mut request, ann()).expect("it has no principal yet");
    let sent = send(&*LAYER, request);
    let Some(reached) = sent.reached else {
        assert_eq!(sent.answer.status(), 404);
        assert!(!ids.is_empty() || event.is_some(), "nothing was refused");
        return;
    };
    let inner: Vec<_> = reached.headers().get_all("mcp-session-id").iter().collect();
    let [sent] = &*ids else {
        assert!(ids.is_empty() && inner.is_empty() && event.is_none());
        return;
    };
    let [inner] = &*inner else {
        panic!("{} ids came of one", inner.len())
    };
    let wraps = |keys: &SessionKeys| keys.wrap(&ann(), inner.as_bytes());
    let texts = [&*KEYS, &*RETIRED].map(wraps);
    let is_own = texts
        .iter()
        .flatten()
        .any(|t| t.as_bytes() == sent.as_bytes());
    assert!(is_own, "a second text for {inner:?}");
    let later = reached.headers().get("last-event-id");
    assert_eq!(later.is_some(), event.is_some());
    assert!(
        later.is_none() || later != event.as_ref(),
        "it is as it came"
    );
}
