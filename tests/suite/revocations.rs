//! Revocations at every kind of authenticator: the next request, and the next event of an open stream.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan::{AuthLayer, ClientCertificate, ResponseBody, auth::Revocations};
use bartizan_kit::{FrameSender, Frames, TokenMint};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::mtls::{BILLING, ISSUER, RESOURCE, der, opaque_tokens, programs, tls, tokens};

/// Asks for a stream of events; the answer, and what sends events.
pub(crate) async fn listen(
    auth: &AuthLayer,
    request: Request<()>,
) -> (Response<ResponseBody<Frames>>, FrameSender) {
    let (events, frames) = Frames::channel();
    let frames = Arc::new(Mutex::new(Some(frames)));
    let inner = service_fn(move |_: Request<()>| {
        let body = frames.lock().unwrap().take().unwrap();
        let answer = Response::builder().header("content-type", "text/event-stream");
        async { Ok::<_, Infallible>(answer.body(body).unwrap()) }
    });
    let answer = auth.layer(inner).oneshot(request).await.unwrap();
    (answer, events)
}

pub(crate) fn bearing(token: &str) -> Request<()> {
    let request = Request::get("/mcp").header("authorization", format!("Bearer {token}"));
    request.body(()).unwrap()
}

async fn holds(auth: AuthLayer, request: Request<()>, revoke: impl FnOnce()) {
    let (answer, events) = listen(&auth, request.clone()).await;
    assert_eq!(answer.status(), 200);
    let mut stream = Box::pin(answer.into_body());
    events.event("before");
    assert!(stream.frame().await.is_some());
    revoke();
    events.event("after");
    assert!(stream.frame().await.is_none());
    assert_eq!(listen(&auth, request).await.0.status(), 401);
}

#[tokio::test]
async fn ac_5_tv_20_what_is_revoked_is_refused_and_its_streams_end_whatever_the_credential() {
    let list = Revocations::new();
    let until = list.now() + Duration::from_secs(3600);
    let revoke = |issuer: &str, subject: &str| {
        list.revoke_subject(issuer, subject, until).unwrap();
    };

    let mint = TokenMint::new(ISSUER, RESOURCE);
    let jwt = tokens(&mint, |builder| builder.revocations(list.clone()));
    let request = bearing(&mint.token().encode());
    holds(AuthLayer::new(jwt), request, || revoke(ISSUER, "ann")).await;

    let opaque = opaque_tokens(|builder| builder.revocations(list.clone())).await;
    let olga = opaque.verify("opaque").await.unwrap();
    let revoke_olga = || revoke(olga.issuer(), "olga");
    holds(AuthLayer::new(opaque), bearing("opaque"), revoke_olga).await;

    let own = tls::Authority::new().unwrap().client(BILLING).unwrap();
    let mut request = Request::get("/mcp").body(()).unwrap();
    let certificate = ClientCertificate::from_der(der(&own).to_vec());
    request.extensions_mut().insert(certificate);
    let revoke_billing = || revoke("https://pki.example.org", BILLING);
    let auth = AuthLayer::new(programs().revocations(list.clone()));
    holds(auth, request, revoke_billing).await;
}
