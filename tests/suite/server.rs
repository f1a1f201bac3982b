//! The real thing: an rmcp server behind every layer, on a real socket, with a real issuer.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use bartizan::{
    AddressLimitLayer, AuditLayer, CallLayer, Caller, CorsLayer, JwtLayer, JwtVerifier, Need,
    NetworkLayer, RateLimitLayer, RbacLayer, SecurityHeadersLayer, SessionLayer,
    audit::Records,
    auth::Revocations,
    jwt::IssuerConfig,
    ratelimit::{AddressLimits, Quota, RateLimits},
    rbac::{Policy, PolicyBuilder, Preset, Rule},
    session::{SessionKeys, TaskOwnerLayer},
};
use bartizan_kit::{Issuer, Token, TokenMint};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::router::tool::ToolRouter,
    model::{ServerCapabilities, ServerConfig},
    service::RequestContext,
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::json;
use tokio::{net::TcpListener, sync::Notify};
use tower::ServiceBuilder;

pub(crate) const ALLOWED_ORIGIN: &str = "https://app.example.com";

/// How the rmcp service behind the layers answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Sessions for the legacy revisions, answers as event streams.
    Sessions,
    /// No sessions, answers as one JSON object.
    Json,
    /// No sessions, answers as event streams.
    Streams,
}

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) issuer: Issuer,
    /// A second one, whose tokens are accepted as well.
    pub(crate) partner: Issuer,
    pub(crate) revocations: Revocations,
    pub(crate) probe: Arc<Probe>,
    pub(crate) records: Records,
}

/// Calls that an account may make at once, where a test does not choose.
const PLENTY: u32 = 100_000;

/// What the tools let a test see.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    pub(crate) started: Notify,
    pub(crate) cancelled: Notify,
    pub(crate) go_on: Notify,
}

impl Server {
    pub(crate) async fn start(mode: Mode) -> Self {
        Self::with_burst(mode, PLENTY).await
    }

    /// A server that lets each account make so many calls at once, and then one each five seconds: slower than a busy
    /// machine sends what a test sends at once.
    pub(crate) async fn with_burst(mode: Mode, burst: u32) -> Self {
        let (issuer, partner) = (Issuer::start().await, Issuer::start().await);
        let revocations = Revocations::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let jwt = JwtVerifier::builder()
            .issuer(issuer.url())
            .audience(&url)
            .add_issuer(IssuerConfig::new(partner.url()))
            .revocations(revocations.clone())
            .build()
            .unwrap();
        let probe = Arc::new(Probe::default());
        let records = Records::new();
        let app = app(jwt, mode, burst, Arc::clone(&probe), records.clone());
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            url,
            issuer,
            partner,
            revocations,
            probe,
            records,
        }
    }

    /// A server that accepts the tokens of an issuer which runs elsewhere; its URL.
    pub(crate) async fn trusting(issuer: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let jwt = JwtVerifier::builder()
            .issuer(issuer)
            .audience(&url)
            .challenge_scopes(["tools:call"])
            .build()
            .unwrap();
        let app = app(jwt, Mode::Json, PLENTY, Arc::default(), Records::new());
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    /// A good token for a subject.
    pub(crate) fn token(&self, subject: &str) -> Token {
        self.token_of(&self.issuer, subject)
    }

    /// The same of one of the issuers.
    pub(crate) fn token_of(&self, issuer: &Issuer, subject: &str) -> Token {
        let token = issuer.mint().token().sub(subject).aud(self.url.as_str());
        token.claim("roles", json!(["admin"]))
    }

    pub(crate) fn origin(&self) -> &str {
        self.url.trim_end_matches("/mcp")
    }
}

/// The same stack without a socket, with keys at hand, and a good token for it.
pub(crate) fn guarded() -> (Router, String) {
    let mint = TokenMint::new("https://auth.example.com", "https://mcp.example.com/mcp");
    let jwt = JwtVerifier::builder()
        .issuer(mint.issuer())
        .audience(mint.audience())
        .jwk_set(mint.jwks().to_string())
        .build()
        .unwrap();
    let app = app(jwt, Mode::Json, PLENTY, Arc::default(), Records::new());
    (app, mint.token().encode())
}

fn app(jwt: JwtVerifier, mode: Mode, burst: u32, probe: Arc<Probe>, records: Records) -> Router {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(mode == Mode::Sessions)
        .with_json_response(mode == Mode::Json)
        .with_sse_keep_alive(Some(Duration::from_millis(100)));
    let tools = Tools {
        probe,
        tool_router: Tools::tool_router(),
    };
    let mcp = StreamableHttpService::new(
        move || Ok(tools.clone()),
        LocalSessionManager::default().into(),
        config,
    );
    let cors = CorsLayer::new().allow_origin(ALLOWED_ORIGIN).unwrap();
    let quota = |burst| {
        let quota = Quota::per_minute(12).and_then(|quota| quota.burst(burst));
        quota.unwrap()
    };
    let by_address = AddressLimits::builder()
        .address(quota(PLENTY))
        .failed_authentication(quota(PLENTY));
    let by_account = RateLimits::builder()
        .global(quota(PLENTY))
        .account(quota(burst))
        .session(quota(burst))
        .other_tools(quota(burst));
    let around = ServiceBuilder::new()
        .layer(SecurityHeadersLayer::mcp())
        .layer(AuditLayer::new(records));
    let guards = ServiceBuilder::new()
        .layer(NetworkLayer::new())
        .layer(cors)
        .layer(AddressLimitLayer::new(by_address.build().unwrap()))
        .layer(JwtLayer::new(jwt.clone()))
        .layer(SessionLayer::new(SessionKeys::until_restart().unwrap()))
        .layer(CallLayer::new())
        .layer(RateLimitLayer::new(by_account.build().unwrap()))
        .layer(RbacLayer::new(policy().build().unwrap()))
        .layer(TaskOwnerLayer::in_memory());
    Router::new()
        .nest_service("/mcp", mcp)
        .route_layer(guards)
        .merge(jwt.metadata_router())
        .layer(around)
}

/// Everybody may call what reads; `delete` is the admins', `publish` asks in its handler.
pub(crate) fn policy() -> PolicyBuilder {
    Policy::builder()
        .preset(Preset::Enterprise)
        .rule(Rule::tool("*").except("report").identified())
        .rule(Rule::tool("delete").role("admin"))
        .rule(Rule::tool("report").role("viewer").scope("reports.read"))
        .rule(Rule::method("nope/*").identified())
}

#[derive(Clone)]
struct Tools {
    probe: Arc<Probe>,
    #[allow(dead_code, reason = "read by the code that the macro writes")]
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Tools {
    #[tool(description = "Says who is calling")]
    fn whoami(&self, caller: Caller) -> String {
        let roles: Vec<_> = caller.roles().collect();
        format!(
            "{} of {} as {}",
            caller.subject(),
            caller.issuer(),
            roles.join("+")
        )
    }

    #[tool(description = "Deletes")]
    fn delete(&self) -> String {
        "deleted".to_owned()
    }

    #[tool(description = "Reports")]
    fn report(&self) -> String {
        "reported".to_owned()
    }

    #[tool(description = "Publishes, if the handler finds that the caller may")]
    fn publish(&self, caller: Caller) -> Result<String, ErrorData> {
        caller.require(Need::any_role(&["developer", "admin"]))?;
        let deploys = caller.has_capability("releases:deploy");
        Ok(format!("published, deploys: {deploys}"))
    }

    #[tool(description = "Runs until it is cancelled")]
    async fn wait(&self, context: RequestContext<RoleServer>) -> String {
        self.probe.started.notify_one();
        context.ct.cancelled().await;
        self.probe.cancelled.notify_one();
        "cancelled".to_owned()
    }

    #[tool(description = "Says something, waits for a sign, says the rest")]
    async fn two_steps(&self, context: RequestContext<RoleServer>) -> Result<String, ErrorData> {
        let token = context.meta.get_progress_token();
        if let Some(token) = token {
            let progress = rmcp::model::ProgressNotificationParam::new(token, 1.0);
            let _ = context.peer.notify_progress(progress).await;
        }
        self.probe.started.notify_one();
        self.probe.go_on.notified().await;
        Ok("done".to_owned())
    }
}

#[tool_handler]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}
