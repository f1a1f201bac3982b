//! One layer on an app that exists already: security headers, and nothing else of Bartizan. An app of
//! yours depends on `bartizan-headers` alone, and says `bartizan_headers::SecurityHeadersLayer`.
//!
//! ```sh
//! cargo run --example single_layer
//! curl -si http://127.0.0.1:8080/
//! ```

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "an example talks to its terminal"
)]

use std::error::Error;

use axum::{Router, routing::get};
use bartizan::SecurityHeadersLayer;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .layer(SecurityHeadersLayer::mcp());
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("try: curl -si http://{}/", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
