//! Two servers behind one name, whose revocations a real Redis shares.

use std::time::Duration;

use bartizan::{
    AuthLayer, JwtVerifier, ResponseBody, SharedRevocations,
    auth::Revocations,
    redis::{OutOfTouch, Redis},
};
use bartizan_kit::{FrameSender, Frames, RedisServer, TokenMint};
use http::Response;
use http_body_util::BodyExt as _;
use tokio::time::{sleep, timeout};

use crate::{
    mtls::{ISSUER, RESOURCE},
    revocations,
};

const SECOND: Duration = Duration::from_secs(1);

struct Node {
    auth: AuthLayer,
    shared: SharedRevocations,
}

impl Node {
    async fn start(redis: &RedisServer, mint: &TokenMint) -> Self {
        let list = Revocations::new();
        let verifier = JwtVerifier::builder()
            .issuer(ISSUER)
            .audience(RESOURCE)
            .jwk_set(mint.jwks().to_string())
            .revocations(list.clone())
            .build()
            .unwrap();
        let redis = Redis::builder(&redis.url()).build().unwrap();
        let policy = OutOfTouch::Refuse(SECOND);
        let shared = SharedRevocations::builder(redis, list, policy);
        let shared = shared.start().unwrap();
        shared.loaded(10 * SECOND).await.unwrap();
        let auth = AuthLayer::new(verifier);
        Self { auth, shared }
    }

    async fn listen(&self, token: &str) -> (Response<ResponseBody<Frames>>, FrameSender) {
        revocations::listen(&self.auth, revocations::bearing(token)).await
    }

    async fn status(&self, token: &str) -> u16 {
        self.listen(token).await.0.status().as_u16()
    }

    async fn comes_to(&self, token: &str, status: u16) {
        let comes = async {
            while self.status(token).await != status {
                sleep(SECOND / 100).await;
            }
        };
        timeout(15 * SECOND, comes).await.expect("in time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ac_5_tv_20_what_one_server_revokes_is_refused_at_the_other_and_its_streams_end() {
    let Some(mut redis) = RedisServer::start().await else {
        return;
    };
    let mint = TokenMint::new(ISSUER, RESOURCE);
    let (a, b) = (
        Node::start(&redis, &mint).await,
        Node::start(&redis, &mint).await,
    );
    let token = |id: &str| mint.token().claim("jti", id).encode();
    let (stolen, kept) = (token("stolen"), token("kept"));
    let (answer, events) = b.listen(&stolen).await;
    assert_eq!(answer.status(), 200);
    let mut stream = Box::pin(answer.into_body());
    events.event("before");
    assert!(stream.frame().await.is_some());

    let until = Revocations::new().now() + 3600 * SECOND;
    let revoking = a.shared.revoke_credential(ISSUER, "stolen", until);
    revoking.await.unwrap();
    assert_eq!(a.status(&stolen).await, 401);
    b.comes_to(&stolen, 401).await;
    events.event("after");
    assert!(stream.frame().await.is_none());
    assert_eq!(b.status(&kept).await, 200);

    redis.kill();
    b.comes_to(&kept, 503).await;
    assert_eq!(b.status(&stolen).await, 401, "that is known");
    redis.restart().await;
    b.comes_to(&kept, 200).await;
}
