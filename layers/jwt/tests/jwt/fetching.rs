use bartizan_jwt::{FetchDocument, FetchError, Fetching, HttpFetch};
use bartizan_kit::Algorithm as Alg;
use tokio::sync::Semaphore;

use super::*;

/// What a scripted fetcher does next.
#[derive(Clone)]
pub(super) enum Next {
    Answer(String),
    Fail,
    Hang,
    /// Answers once it is let go.
    Hold(Arc<Semaphore>, String),
}

/// Answers every URL alike, and remembers which it was asked for.
#[derive(Clone)]
pub(super) struct Scripted {
    next: Arc<Mutex<Next>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(super) fn new(next: Next) -> Self {
        Self {
            next: Arc::new(Mutex::new(next)),
            asked: Arc::default(),
        }
    }

    pub(super) fn then(&self, next: Next) {
        *self.next.lock().unwrap() = next;
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl FetchDocument for Scripted {
    fn fetch<'a>(&'a self, url: &'a str, _: usize) -> Fetching<'a> {
        self.asked.lock().unwrap().push(url.to_owned());
        let next = self.next.lock().unwrap().clone();
        Box::pin(async {
            match next {
                Next::Answer(text) => Ok(Bytes::from(text).into()),
                Next::Fail => Err(FetchError::new("refused")),
                Next::Hang => std::future::pending().await,
                Next::Hold(gate, text) => {
                    let _ = gate.acquire().await;
                    Ok(Bytes::from(text).into())
                }
            }
        })
    }
}

pub(super) fn remote(clock: &FakeClock, fetcher: &Scripted) -> JwtVerifierBuilder {
    JwtVerifier::builder()
        .issuer(I)
        .audience(U)
        .clock(clock.clone())
        .fetcher(fetcher.clone())
}

pub(super) const JWKS: &str = "https://auth.example.com/jwks";

#[tokio::test]
async fn ss_1_an_issuer_elsewhere_cannot_point_us_at_this_machine() {
    for uri in [
        "https://127.0.0.1/jwks",
        "http://127.0.0.1/jwks",
        "https://localhost/jwks",
        "https://[::1]/jwks",
        "http://auth.example.com/jwks",
    ] {
        let document = format!(r#"{{"issuer":"{I}","jwks_uri":"{uri}"}}"#);
        let fetcher = Scripted::new(Next::Answer(document));
        let verifier = remote(&clock(), &fetcher).build().unwrap();
        assert!(verifier.warm_up().await.is_err());
        assert!(!fetcher.asked().contains(&uri.to_owned()), "{uri}");
        assert_eq!(fetcher.asked().len(), 2);
    }
}

#[tokio::test]
async fn ss_2_this_machine_is_not_reached_by_another_spelling_of_its_address() {
    for host in [
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::]",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "localhost.",
        "LOCALHOST.",
        "jwks.localhost",
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
    ] {
        let uri = format!("https://{host}/jwks");
        let document = format!(r#"{{"issuer":"{I}","jwks_uri":"{uri}"}}"#);
        let fetcher = Scripted::new(Next::Answer(document));
        let verifier = remote(&clock(), &fetcher).build().unwrap();
        assert!(verifier.warm_up().await.is_err());
        assert!(!fetcher.asked().contains(&uri), "{uri}");
    }
}

#[test]
fn a_fetch_on_a_runtime_that_stands_still_holds_nobody_for_long() {
    let clock = clock();
    let mint = mint(&clock);
    let fetcher = Scripted::new(Next::Hang);
    let verifier = remote(&clock, &fetcher)
        .jwks_url(JWKS)
        .fetch_timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let token = mint.token().expires_in(1_000_000).encode();
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    // It has the fetch's task, and nobody drives it any more.
    let stalled = runtime();
    let briefly = Duration::from_millis(20);
    let warmed =
        stalled.block_on(async { tokio::time::timeout(briefly, verifier.warm_up()).await });
    assert!(warmed.is_err());
    runtime().block_on(async {
        let waited = tokio::time::timeout(Duration::from_secs(5), verifier.verify(&token));
        let denial = waited.await.expect("a bounded wait").unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable);
        fetcher.then(Next::Answer(mint.jwks().to_string()));
        clock.advance(Duration::from_secs(6));
        let waited = tokio::time::timeout(Duration::from_secs(5), verifier.warm_up());
        waited.await.expect("another fetch").unwrap();
        assert_eq!(reason(verifier.verify(&token).await), "accepted");
    });
    fetcher.then(Next::Hang);
    clock.advance(Duration::from_secs(31));
    let unknown = mint.token().kid("unknown").encode();
    let begun = async { tokio::time::timeout(briefly, verifier.verify(&unknown)).await };
    assert!(stalled.block_on(begun).is_err());
    runtime().block_on(async {
        let denial = verifier.verify(&unknown).await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable, "AC-16");
        assert_eq!(reason(verifier.verify(&token).await), "accepted");
    });
    drop(stalled);
}

#[test]
fn tv_13_a_fetch_that_ends_late_does_not_bring_back_the_keys_that_were_replaced_meanwhile() {
    let clock = clock();
    let (retired, mint) = (mint(&clock), mint(&clock).impostor());
    let gate = Arc::new(Semaphore::new(0));
    let fetcher = Scripted::new(Next::Hold(Arc::clone(&gate), retired.jwks().to_string()));
    let (events, seen) = collected();
    let verifier = remote(&clock, &fetcher).jwks_url(JWKS).events(events);
    let verifier = verifier.build().unwrap();
    let token = |mint: &TokenMint| mint.token().expires_in(1_000_000).encode();
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let stalled = runtime();
    let briefly = Duration::from_millis(20);
    stalled.block_on(async {
        let warmed = tokio::time::timeout(briefly, verifier.warm_up()).await;
        assert!(warmed.is_err());
    });
    fetcher.then(Next::Answer(mint.jwks().to_string()));
    clock.advance(Duration::from_secs(20));
    runtime().block_on(async {
        verifier.warm_up().await.unwrap();
        assert_eq!(reason(verifier.verify(&token(&mint)).await), "accepted");
    });
    gate.add_permits(1);
    stalled.block_on(async { tokio::time::sleep(briefly).await });
    runtime().block_on(async {
        assert_eq!(reason(verifier.verify(&token(&mint)).await), "accepted");
        assert_ne!(reason(verifier.verify(&token(&retired)).await), "accepted");
    });
    let refreshed = |e: &&String| e.starts_with("keys_refreshed ");
    assert_eq!(seen.lock().unwrap().iter().filter(refreshed).count(), 1);
}

#[tokio::test]
async fn a_failure_of_long_ago_is_no_outage_now() {
    let clock = clock();
    let mint = mint(&clock);
    let fetcher = Scripted::new(Next::Answer(mint.jwks().to_string()));
    let verifier = remote(&clock, &fetcher).jwks_url(JWKS).build().unwrap();
    verifier.warm_up().await.unwrap();
    let retired = mint.token().expires_in(100_000).encode();
    fetcher.then(Next::Fail);
    clock.advance(Duration::from_secs(31));
    let unknown = mint.token().kid("unknown").encode();
    assert_eq!(
        reason(verifier.verify(&unknown).await),
        "no verification keys"
    );
    let rotated = mint.impostor().jwks().to_string();
    fetcher.then(Next::Answer(
        rotated.replace(mint.key(Alg::Es256).kid(), "new"),
    ));
    clock.advance(Duration::from_secs(8 * 3600));
    let both = tokio::join!(verifier.verify(&retired), verifier.verify(&retired));
    for result in [both.0, both.1] {
        assert_eq!(reason(result), "no key has the token's key id", "TV-13");
    }
}

#[tokio::test]
async fn in_a_known_outage_nobody_waits_for_the_next_attempt() {
    let clock = clock();
    let mint = mint(&clock);
    let fetcher = Scripted::new(Next::Answer(mint.jwks().to_string()));
    let verifier = remote(&clock, &fetcher).jwks_url(JWKS).build().unwrap();
    verifier.warm_up().await.unwrap();
    let token = mint.token().expires_in(100_000).encode();
    fetcher.then(Next::Fail);
    clock.advance(Duration::from_secs(7200));
    assert_eq!(reason(verifier.verify(&token).await), "accepted");
    fetcher.then(Next::Hang);
    clock.advance(Duration::from_secs(31));
    let at_once = tokio::time::timeout(Duration::from_millis(200), verifier.verify(&token));
    assert_eq!(reason(at_once.await.expect("no wait")), "accepted");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(fetcher.asked().len(), 3);
}

#[tokio::test]
async fn a_fetcher_that_hangs_is_cut_off() {
    let clock = clock();
    let fetcher = Scripted::new(Next::Hang);
    let verifier = remote(&clock, &fetcher)
        .jwks_url(JWKS)
        .fetch_timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let token = mint(&clock).token().encode();
    let cut = tokio::time::timeout(Duration::from_secs(3), verifier.verify(&token));
    let denial = cut.await.expect("cut off").unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable);
    assert_eq!(denial.retry_after(), Some(Duration::from_secs(5)));
}

#[tokio::test]
async fn a_fetcher_that_ignores_the_size_limit_is_not_believed() {
    let clock = clock();
    let mint = mint(&clock);
    let padded = format!("{}{}", " ".repeat(64 * 1024), mint.jwks());
    let fetcher = Scripted::new(Next::Answer(padded));
    let verifier = remote(&clock, &fetcher).jwks_url(JWKS).build().unwrap();
    let error = verifier.warm_up().await.unwrap_err().to_string();
    assert!(error.ends_with("too large"), "{error}");
}

#[tokio::test]
async fn http_stops_reading_at_the_size_limit() {
    let issuer = Issuer::start().await;
    let url = issuer.url_of(Endpoint::Jwks);
    let fetch = HttpFetch::new(Duration::from_secs(5)).unwrap();
    assert!(fetch.fetch(&url, 64 * 1024).await.is_ok());
    let endless = Behaviour::good()
        .padded(10 << 20)
        .drip(1024, Duration::from_millis(1));
    issuer.behave(Endpoint::Jwks, endless);
    let begun = Instant::now();
    let error = fetch.fetch(&url, 64 * 1024).await.unwrap_err();
    assert_eq!(error.to_string(), "larger than 65536 bytes");
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn ss_2_an_issuer_in_a_private_network_needs_permission() {
    for issuer in ["https://10.255.255.1", "https://[fd00::1]/realm"] {
        let verifier = JwtVerifier::builder()
            .issuer(issuer)
            .audience(U)
            .build()
            .unwrap();
        let error = verifier.warm_up().await.unwrap_err().to_string();
        assert!(error.contains("needs `allow_private_issuer`"), "{error}");
    }
}

#[tokio::test]
async fn an_issuer_on_this_machine_is_reached_by_name_and_by_address() {
    let issuer = Issuer::start().await;
    let fetch = HttpFetch::new(Duration::from_secs(5)).unwrap();
    let by_address = issuer.url_of(Endpoint::Jwks);
    let by_name = by_address.replace("127.0.0.1", "localhost");
    assert_ne!(by_address, by_name);
    for url in [by_address, by_name] {
        assert!(fetch.fetch(&url, 64 * 1024).await.is_ok(), "{url}");
    }
}
