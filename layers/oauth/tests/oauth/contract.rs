use bartizan_kit::{Revision, layer_contract, post};

use super::*;

fn call(token: &str) -> Request<Full<Bytes>> {
    let mut request = post(Revision::V2026_07_28, "tools/list", json!({})).build();
    let value = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert(AUTHORIZATION, value);
    request
}

/// A provider that answers for as long as the process runs.
fn standing() -> &'static Provider {
    static PROVIDER: std::sync::OnceLock<Provider> = std::sync::OnceLock::new();
    PROVIDER.get_or_init(|| {
        let (ready, provider) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let provider = Provider::start(|asked| {
                    let active = asked.field("token").as_deref() == Some("good");
                    Answer::json(&if active {
                        ann()
                    } else {
                        json!({ "active": false })
                    })
                });
                ready.send(provider.await).unwrap();
                std::future::pending::<()>().await;
            });
        });
        provider.recv().unwrap()
    })
}

layer_contract!(
    introspected,
    || OAuthLayer::new(builder(standing(), &clock()).build().unwrap()),
    || call("good"),
    || call("bad")
);
