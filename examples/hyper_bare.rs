//! Three layers on bare hyper, without axum. The others go the same way.
//!
//! ```sh
//! cargo run --example hyper_bare
//! curl -si http://127.0.0.1:8080/                                    # 200
//! curl -si -H 'Host: evil.example' http://127.0.0.1:8080/            # 403
//! curl -si -H 'Origin: https://evil.example' http://127.0.0.1:8080/  # 403
//! ```

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "an example talks to its terminal"
)]

use std::{convert::Infallible, error::Error};

use bartizan::{CorsLayer, NetworkLayer, SecurityContext, SecurityHeadersLayer, network::PeerAddr};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let stack = ServiceBuilder::new()
        .layer(SecurityHeadersLayer::mcp())
        .layer(NetworkLayer::new())
        .layer(CorsLayer::new().allow_origin("https://app.example.com")?);
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("try: curl -si http://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        let guarded = stack.clone().service(service_fn(hello));
        // hyper knows nothing of addresses, so the connection's is put on each of its requests.
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(PeerAddr(peer));
            tower::ServiceExt::oneshot(guarded.clone(), request)
        });
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn hello(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let client = SecurityContext::of(&mut request).client_address();
    let text = client.map_or_else(
        || "hello\n".to_owned(),
        |address| format!("hello {address}\n"),
    );
    Ok(Response::new(Full::new(text.into())))
}
