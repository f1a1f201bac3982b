//! A service for programs that prove who they are by a client certificate (mTLS).
//!
//! ```sh
//! cargo run --example mtls_server --features full
//! ```
//!
//! It prints three lines for curl: a program that is admitted, one that the same authority knows and this
//! server does not, and one without a certificate.

#![allow(clippy::print_stdout, reason = "an example talks to its terminal")]

mod tls;

use std::{env, fs, io, path::Path};

use axum::{Router, routing::get};
use bartizan::{
    AuditLayer, AuthLayer, Caller, JsonLines, NetworkLayer, SecurityHeadersLayer,
    network::{CertificateName, MtlsVerifier},
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let authority = tls::Authority::new()?;
    let programs = MtlsVerifier::new("https://pki.example.org", CertificateName::Uri)?
        .identity("spiffe://example.org/billing", ["service"])?;
    let app = Router::new().route("/", get(hello)).layer(
        ServiceBuilder::new()
            .layer(SecurityHeadersLayer::mcp())
            .layer(AuditLayer::new(JsonLines::stderr()))
            .layer(NetworkLayer::new().tls_terminated_here())
            .layer(AuthLayer::new(programs)),
    );

    let port = env::var("PORT").map_or(Ok(8443), |port| port.parse::<u16>())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let url = format!("https://{}/", listener.local_addr()?);
    let folder = env::temp_dir().join(format!("bartizan-mtls-{}", std::process::id()));
    make_private(&folder)?;
    let root = write(&folder, "root.pem", &authority.pem)?;
    println!("curl -si --cacert {root} {url}  # 401: no certificate");
    for (name, answer) in [("billing", "200"), ("reports", "401: not admitted")] {
        let client = authority.client(&format!("spiffe://example.org/{name}"))?;
        let certificate = write(&folder, &format!("{name}.pem"), &client.certificate)?;
        let key = write(&folder, &format!("{name}.key"), &client.key)?;
        println!("curl -si --cacert {root} --cert {certificate} --key {key} {url}  # {answer}");
    }
    match tls::serve(listener, authority.server()?, app, tls::Limits::default()).await {}
}

async fn hello(caller: Caller) -> String {
    let roles: Vec<_> = caller.roles().collect();
    format!("hello {} ({})\n", caller.subject(), roles.join(", "))
}

/// A folder that was not there before, and that nobody else may read: keys go there.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<String, AnyError> {
    let path = folder.join(name);
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}
