//! An MCP server behind every layer, on embedded defaults.
//!
//! ```sh
//! cargo run --release --example secure_server
//! ```
//!
//! starts a token issuer of its own, and prints curl lines that show a yes and a no of each
//! layer. Audit records go to standard error, one JSON line each, and so do alerts through `tracing`. `PORT` chooses the port (default 8080,
//! 0 picks one). `--issuer URL --audience URL` trusts an issuer of yours instead. `--json` prints one line for scripts and nothing else.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "an example talks to its terminal"
)]

mod demo;
mod lines;
mod notes;
mod options;
mod policy;
mod tokens;

use std::{error::Error, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use axum::Router;
use bartizan::{
    AddressLimitLayer, Alerts, AuditLayer, CallLayer, CallLimits, CorsLayer, Detectors, JsonLines,
    JwtLayer, JwtVerifier, NetworkLayer, RateLimitLayer, RbacLayer, SecurityHeadersLayer,
    alerts::{Outbox, Rules, TracingReceiver},
    rbac::{ApprovalService, Approvals},
};
use bartizan_kit::Issuer;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio::{net::TcpListener, signal, sync::Notify, time::sleep};
use tower::ServiceBuilder;

use crate::{demo::Demo, notes::Notes, options::Options, tokens::Tokens};

const ALLOWED_ORIGIN: &str = "https://app.example.com";

/// How long calls under way may take to end, once the server is told to stop.
const GRACE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("secure_server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    // In production a `Webhook` to whoever is on duty.
    let tracing = Outbox::to("tracing", TracingReceiver::new())?;
    let alerts = Alerts::by(Rules::recommended()).send_to(tracing).build()?;
    let deliveries = alerts.deliveries();
    let audit = JsonLines::stderr()
        .watched_by(Detectors::new())
        .watched_by(alerts);
    let options = Options::parse()?;
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
    let url = format!("http://{}/mcp", listener.local_addr()?);

    let (trusted, local) = match options.trusted {
        Some((issuer, audience)) => ((issuer, audience), None),
        None => {
            let issuer = Issuer::start().await;
            ((issuer.url().to_owned(), url.clone()), Some(issuer))
        }
    };
    let (issuer, audience) = trusted;
    let jwt = JwtVerifier::builder()
        .issuer(&issuer)
        .audience(&audience)
        .build()?;
    jwt.warm_up().await?;

    let demo = Demo {
        limits: CallLimits::new(),
        tokens: local.as_ref().map(|issuer| Tokens::mint(issuer, &audience)),
        metadata: metadata_url(&url, &jwt),
        url,
        issuer,
        audience,
    };
    if options.json {
        println!("{}", demo.to_json());
    } else {
        println!("{demo}");
    }

    let app = app(jwt, audit.clone())?.into_make_service_with_connect_info::<SocketAddr>();
    let stopping = Arc::new(Notify::new());
    let stopped = Arc::clone(&stopping);
    let stop = async {
        shutdown().await;
        stopping.notify_one();
        sleep(GRACE).await;
    };
    tokio::select! {
        result = axum::serve(listener, app).with_graceful_shutdown(async move { stopped.notified().await }) => result?,
        // A client that never ends its request must not keep the server running.
        () = stop => {}
    }
    audit.flush(GRACE)?;
    deliveries.flush(GRACE)?;
    Ok(())
}

/// The server, each layer where it belongs: outermost first.
fn app(jwt: JwtVerifier, audit: JsonLines) -> Result<Router, Box<dyn Error>> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let notes = Notes::new();
    let mcp = StreamableHttpService::new(
        move || Ok(notes.clone()),
        LocalSessionManager::default().into(),
        config,
    );
    let approvals = Approvals::new();
    let outer = ServiceBuilder::new()
        .layer(NetworkLayer::new())
        .layer(CorsLayer::new().allow_origin(ALLOWED_ORIGIN)?)
        .layer(AddressLimitLayer::new(policy::address_limits()?))
        .layer(JwtLayer::new(jwt.clone()));
    let guards = outer
        .clone()
        .layer(CallLayer::new())
        .layer(RateLimitLayer::new(policy::limits()?))
        .layer(RbacLayer::new(policy::policy()?).approvals(approvals.clone())?);
    let approvers = ApprovalService::new(approvals);
    // What reads MCP calls does not stand before it.
    let approvers = Router::new()
        .route_service("/approvals", approvers.clone())
        .route_service("/approvals/{id}", approvers)
        .route_layer(outer);
    // Around everything, so that unknown paths and the public metadata have a record as well.
    let around = ServiceBuilder::new()
        .layer(SecurityHeadersLayer::mcp())
        .layer(AuditLayer::new(audit));
    Ok(Router::new()
        .nest_service("/mcp", mcp)
        .route_layer(guards)
        .merge(approvers)
        .merge(jwt.metadata_router())
        .layer(around))
}

fn metadata_url(url: &str, jwt: &JwtVerifier) -> String {
    let origin = url.trim_end_matches("/mcp");
    format!("{origin}{}", jwt.metadata().path())
}

/// Completes at ctrl-c or SIGTERM.
async fn shutdown() {
    let interrupt = signal::ctrl_c();
    #[cfg(unix)]
    {
        let Ok(mut terminate) = signal::unix::signal(signal::unix::SignalKind::terminate()) else {
            let _ = interrupt.await;
            return;
        };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}
