//! A certified OpenID provider (oidc-provider) in front, and real clients: rmcp's, and the TypeScript SDK's.
//!
//! `scripts/setup.sh` installs both. Without them these tests say that they were skipped; with
//! `CI=true` that is a failure.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use bartizan::{
    Denial, DenialKind, JwtLayer, JwtVerifier, OpaqueVerifier, SecurityContext,
    jwt::DpopConfig,
    oauth::{AssertionAlgorithm, ClientAuth, Introspection},
};
use bartizan_kit::{Algorithm, Jwks, SigningKey};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use rmcp::{
    ServiceExt as _,
    model::CallToolRequestParams,
    transport::{
        StreamableHttpClientTransport,
        auth::{AuthClient, AuthorizationCallback, AuthorizationRequest, OAuthState},
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::server::Server;

const RESOURCE: &str = "http://127.0.0.1:9/mcp";
const OPAQUE: &str = "http://127.0.0.1:9/opaque";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/identity")
}

/// Whether the parts are there. Says so where nobody captures it if they are not.
fn is_installed() -> bool {
    if folder().join("node_modules/oidc-provider").exists() {
        return true;
    }
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(
        !in_ci,
        "tests/identity is not installed: run scripts/setup.sh"
    );
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED {name}: run scripts/setup.sh to install tests/identity"
    );
    false
}

struct Provider {
    issuer: String,
    process: Child,
}

impl Provider {
    async fn start() -> Option<Self> {
        if is_installed() {
            Some(Self::at("0", "").await)
        } else {
            None
        }
    }

    /// One that knows a client by these keys.
    async fn with_client_of(keys: &Jwks) -> Option<Self> {
        if is_installed() {
            Some(Self::at("0", &keys.to_string()).await)
        } else {
            None
        }
    }

    async fn at(port: &str, client_keys: &str) -> Self {
        let mut process = Command::new("node")
            .arg("provider.mjs")
            .current_dir(folder())
            .env("PORT", port)
            .env("CLIENT_JWKS", client_keys)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = loop {
            let line = lines.next_line().await.unwrap().expect("it is ready first");
            if let Some(issuer) = line.strip_prefix("ready ") {
                break issuer.to_owned();
            }
        };
        // Nobody reads on, and a full pipe would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { issuer, process }
    }

    async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// The same issuer, with other keys and no memory.
    async fn restart(&mut self) {
        self.kill().await;
        let port = self.issuer.rsplit(':').next().unwrap().to_owned();
        *self = Self::at(&port, "").await;
    }

    /// A token of the program's own.
    async fn token(&self, resource: &str) -> String {
        self.token_with(resource, None).await
    }

    async fn token_with(&self, resource: &str, proof: Option<String>) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("resource", resource),
            ("scope", "tools:call"),
        ];
        let mut request = http_client()
            .post(format!("{}/token", self.issuer))
            .basic_auth("program", Some("a+secret+of+the+program"))
            .form(&form);
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let token = answer["access_token"].as_str();
        token.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    fn verifier(&self) -> bartizan::jwt::JwtVerifierBuilder {
        JwtVerifier::builder()
            .issuer(&self.issuer)
            .audience(RESOURCE)
    }
}

fn http_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn reason<T>(result: Result<T, Denial>) -> String {
    match result {
        Ok(_) => "accepted".to_owned(),
        Err(denial) => format!("{:?}: {}", denial.kind(), denial.reason()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_jwt_is_accepted_by_discovery_for_this_resource_only() {
    let Some(provider) = Provider::start().await else {
        return;
    };
    let verifier = provider.verifier().build().unwrap();
    verifier.warm_up().await.unwrap();
    let program = verifier.verify(&provider.token(RESOURCE).await).await;
    let program = program.unwrap();
    assert_eq!(program.subject(), "program");
    assert_eq!(program.kind(), bartizan::PrincipalKind::Service);
    assert!(program.scopes().eq(["tools:call"]));
    let elsewhere = provider.token("http://127.0.0.1:9/other").await;
    let elsewhere = reason(verifier.verify(&elsewhere).await);
    assert_eq!(elsewhere, "CredentialsInvalid: another audience");
}

#[tokio::test(flavor = "multi_thread")]
async fn tv_13_known_keys_outlive_the_provider_and_new_ones_follow_its_return() {
    let Some(mut provider) = Provider::start().await else {
        return;
    };
    let floor = Duration::from_secs(1);
    let verifier = provider.verifier().jwks_refetch_floor(floor);
    let verifier = verifier.build().unwrap();
    let before = provider.token(RESOURCE).await;
    assert_eq!(reason(verifier.verify(&before).await), "accepted");
    let later = provider.token(RESOURCE).await;
    provider.kill().await;
    // One that was never seen, by keys that are known.
    assert_eq!(reason(verifier.verify(&later).await), "accepted");
    provider.restart().await;
    let after = provider.token(RESOURCE).await;
    let begun = Instant::now();
    while reason(verifier.verify(&after).await) != "accepted" {
        assert!(begun.elapsed() < Duration::from_secs(10), "never");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The key that signed it is published no longer.
    let retired = reason(verifier.verify(&before).await);
    assert_eq!(retired, "CredentialsInvalid: no key has the token's key id");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opaque_token_is_introspected_and_ends_when_it_is_revoked() {
    let Some(mut provider) = Provider::start().await else {
        return;
    };
    let token = provider.token(OPAQUE).await;
    assert!(!token.contains('.'));
    let auth = ClientAuth::basic("a secret: of the server, with 100 %".to_owned());
    let endpoint = format!("{}/token/introspection", provider.issuer);
    let server = Introspection::new(&provider.issuer, endpoint, "mcp-server", auth);
    let verifier = OpaqueVerifier::builder(server.audience(OPAQUE))
        .token_cache_age(Duration::from_secs(1))
        .build()
        .unwrap();
    let program = verifier.verify(&token).await.unwrap();
    assert_eq!(program.subject(), "program");
    assert!(program.scopes().eq(["tools:call"]));
    let other = provider.token("http://127.0.0.1:9/other/opaque").await;
    let other = reason(verifier.verify(&other).await);
    assert_eq!(other, "CredentialsInvalid: another audience");
    let unknown = reason(verifier.verify("unknown").await);
    let inactive = "CredentialsInvalid: the provider says the token is not active";
    assert_eq!(unknown, inactive);
    let revoked = http_client()
        .post(format!("{}/token/revocation", provider.issuer))
        .basic_auth("program", Some("a+secret+of+the+program"))
        .form(&[("token", &token)])
        .send();
    assert_eq!(revoked.await.unwrap().status(), 200);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(reason(verifier.verify(&token).await), inactive);
    provider.kill().await;
    let down = verifier.verify("another").await.unwrap_err();
    assert_eq!(down.kind(), DenialKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_proves_itself_to_the_provider_by_form_and_by_assertion() {
    let keys = Algorithm::ALL.map(SigningKey::generate);
    let Some(provider) = Provider::with_client_of(&Jwks::of(&keys)).await else {
        return;
    };
    let token = provider.token(OPAQUE).await;
    let endpoint = format!("{}/token/introspection", provider.issuer);
    let ask = async |client: &str, auth: ClientAuth| {
        let server = Introspection::new(&provider.issuer, &endpoint, client, auth);
        let verifier = OpaqueVerifier::builder(server.audience(OPAQUE)).build();
        reason(verifier.unwrap().verify(&token).await)
    };
    let by_form = "mcp-server-by-form";
    let good = ClientAuth::post("a secret: of the form & 100 %".to_owned());
    assert_eq!(ask(by_form, good).await, "accepted");
    let unauthorized = "Unavailable: nothing is known of the token: status 401";
    let bad = ClientAuth::post("another secret".to_owned());
    assert_eq!(ask(by_form, bad).await, unauthorized);
    let by_key = "mcp-server-by-key";
    let sign = |algorithm, key: &SigningKey| {
        let kid = Some(key.kid());
        ClientAuth::private_key_jwt(algorithm, kid, &key.private_pem()).unwrap()
    };
    for (algorithm, key) in [
        (AssertionAlgorithm::RS256, &keys[0]),
        (AssertionAlgorithm::ES256, &keys[1]),
        (AssertionAlgorithm::EdDSA, &keys[2]),
    ] {
        assert_eq!(
            ask(by_key, sign(algorithm, key)).await,
            "accepted",
            "{algorithm:?}"
        );
        let thief = SigningKey::generate(key.algorithm());
        assert_eq!(ask(by_key, sign(algorithm, &thief)).await, unauthorized);
    }
}

/// A proof for a request, by RFC 9449's own words.
fn proof(key: &SigningKey, method: &str, url: &str, token: Option<&str>) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let part = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": key.bare_jwk().0 });
    let id = format!("{now}-{}", count());
    let mut claims = json!({ "jti": id, "htm": method, "htu": url, "iat": now });
    if let Some(token) = token {
        claims["ath"] = json!(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token)));
    }
    let message = format!("{}.{}", part(&header), part(&claims));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn count() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn dp_1_dp_2_a_dpop_bound_token_of_the_provider_needs_its_proof() {
    let Some(provider) = Provider::start().await else {
        return;
    };
    let key = SigningKey::generate(Algorithm::Es256);
    let endpoint = format!("{}/token", provider.issuer);
    let bound = proof(&key, "POST", &endpoint, None);
    let token = provider.token_with(RESOURCE, Some(bound)).await;
    let verifier = provider.verifier().dpop(DpopConfig::default());
    let layer = JwtLayer::new(verifier.build().unwrap());
    let ask = async |scheme: &str, proof: Option<String>| {
        let mut request =
            Request::post("/mcp").header("authorization", format!("{scheme} {token}"));
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        let inner = service_fn(|request: Request<Full<Bytes>>| async move {
            let context = SecurityContext::find(request.extensions()).unwrap();
            assert_eq!(context.principal().unwrap().subject(), "program");
            Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let request = request.body(Full::default()).unwrap();
        let answer = layer.layer(inner).oneshot(request).await.unwrap();
        answer.status().as_u16()
    };
    let good = || proof(&key, "POST", RESOURCE, Some(&token));
    let thief = SigningKey::generate(Algorithm::Es256);
    let stolen = proof(&thief, "POST", RESOURCE, Some(&token));
    assert_eq!(ask("DPoP", Some(good())).await, 200);
    assert_eq!(ask("DPoP", Some(stolen)).await, 401);
    assert_eq!(ask("DPoP", None).await, 401);
    assert_eq!(ask("Bearer", Some(good())).await, 401);
    let again = good();
    assert_eq!(ask("DPoP", Some(again.clone())).await, 200);
    assert_eq!(ask("DPoP", Some(again)).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn ac_1_sc_1_the_typescript_client_finds_its_way_from_nothing_to_a_tool_and_steps_up() {
    let Some(provider) = Provider::start().await else {
        return;
    };
    let url = Server::trusting(&provider.issuer).await;
    let client = Command::new("node")
        .args(["client.mjs", &url])
        .current_dir(folder())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(60), client).await;
    let output = output.expect("it ends").unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let seen: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{errors}"));
    let caller = format!("ann of {} as viewer", provider.issuer);
    assert_eq!(seen["called"], caller);
    assert_eq!(seen["stepped"], "reported");
    // What the challenge named is what was asked for, at first and for the step up, for this server.
    let asked = seen["asked"].as_array().unwrap();
    assert_eq!(asked.len(), 2, "{seen}");
    assert_eq!(asked[0]["scope"], "tools:call");
    let more = asked[1]["scope"].as_str().unwrap();
    assert!(
        more.split(' ').any(|scope| scope == "reports.read"),
        "{seen}"
    );
    assert!(asked.iter().all(|asked| asked["resource"] == url), "{seen}");
}

const CALLBACK: &str = "http://127.0.0.1:9/callback";

/// Goes where a browser would be sent, with its cookies, until it is sent back.
async fn authorize(url: String) -> String {
    let browser = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let mut url = reqwest::Url::parse(&url).unwrap();
    let mut cookies = std::collections::BTreeMap::new();
    for _ in 0..20 {
        let pairs = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookie = pairs.collect::<Vec<_>>().join("; ");
        let answer = browser.get(url.clone()).header("cookie", cookie).send();
        let answer = answer.await.unwrap();
        for line in answer.headers().get_all("set-cookie") {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = answer.headers().get("location").expect("a redirect");
        url = url.join(location.to_str().unwrap()).unwrap();
        if url.as_str().starts_with(CALLBACK) {
            return url.into();
        }
    }
    panic!("no end of redirects");
}

#[tokio::test(flavor = "multi_thread")]
async fn ac_1_sc_1_rmcps_client_finds_its_way_from_nothing_to_a_tool_and_steps_up() {
    let Some(provider) = Provider::start().await else {
        return;
    };
    let url = Server::trusting(&provider.issuer).await;
    let mut state = OAuthState::new(&url, None).await.unwrap();
    let request = AuthorizationRequest::new(CALLBACK);
    state.start_authorization(request).await.unwrap();
    let page = state.get_authorization_url().await.unwrap();
    assert!(page.starts_with(&provider.issuer), "{page}");
    let back = authorize(page).await;
    state.handle_callback_url(&back).await.unwrap();
    let OAuthState::Authorized(manager) = state else {
        panic!("not authorized");
    };
    let http = AuthClient::new(http_client(), manager);
    let manager = Arc::clone(&http.auth_manager);
    let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
    let transport = StreamableHttpClientTransport::with_client(http, config);
    let client = ().serve(transport).await.unwrap();
    let call = async |tool: &'static str| {
        let result = client.call_tool(CallToolRequestParams::new(tool)).await;
        result.map(|result| serde_json::to_string(&result).unwrap())
    };
    let caller = format!("ann of {} as viewer", provider.issuer);
    assert!(call("whoami").await.unwrap().contains(&caller));
    let refused = format!("{:?}", call("report").await.unwrap_err());
    assert!(refused.contains("reports.read"), "{refused}");
    let manager = manager.lock().await;
    let page = manager.request_scope_upgrade("reports.read").await;
    let back = authorize(page.unwrap()).await;
    let back = AuthorizationCallback::from_redirect_url(&back).unwrap();
    let token = manager.exchange_code_for_token_with_issuer(
        &back.code,
        &back.csrf_token,
        back.issuer.as_deref(),
    );
    token.await.unwrap();
    drop(manager);
    assert!(call("report").await.unwrap().contains("reported"));
}
