use std::sync::LazyLock;

use bartizan_cors::CorsLayer;
use http::{HeaderValue, Method, Request, header};
use url::Url;

use crate::{
    lines::values,
    send::{Frames, send},
};

const LISTED: &[&str] = &[
    "https://app.example.com",
    "https://good.example:8443",
    "http://plain.example",
    "https://[2001:db8::1]",
    "https://192.0.2.7",
    "https://xn--bcher-kva.example",
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
];
const PARENT: &str = ".tenants.example";

static LAYER: LazyLock<CorsLayer> = LazyLock::new(|| {
    CorsLayer::new()
        .allow_origins(LISTED)
        .and_then(|layer| layer.allow_origin("https://*.tenants.example"))
        .expect("the list is fine")
});
static LOCAL: LazyLock<CorsLayer> =
    LazyLock::new(|| LAYER.clone().allow_loopback().expect("loopback is fine"));

/// Arbitrary `Origin` lines.
///
/// An origin that is admitted is, as the URL standard reads it, one of those that are listed. It
/// is granted as it was sent, and nothing is granted to another.
pub fn origin(data: &[u8]) {
    let lines = values(data);
    judge(&LAYER, &lines, is_listed);
    judge(&LOCAL, &lines, |url| is_listed(url) || is_loopback(url));
}

fn judge(layer: &CorsLayer, lines: &[HeaderValue], is_allowed: fn(&Url) -> bool) {
    for method in [Method::POST, Method::OPTIONS] {
        let preflight = method == Method::OPTIONS;
        let mut request = Request::new(Frames::new(b"", 1));
        *request.method_mut() = method;
        let headers = request.headers_mut();
        for line in lines {
            headers.append(header::ORIGIN, line.clone());
        }
        if preflight {
            let asked = header::ACCESS_CONTROL_REQUEST_METHOD;
            headers.insert(asked, HeaderValue::from_static("POST"));
        }
        let sent = send(layer, request);
        let granted = sent
            .answer
            .headers()
            .get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        if sent.answer.status() == 403 {
            assert!(!sent.is_admitted());
            assert_eq!(granted, None, "a refused origin may read");
            if let [line] = lines {
                let canonical = LISTED.iter().any(|listed| line == listed);
                assert!(!canonical, "{line:?} is listed, and was refused");
            }
            continue;
        }
        let [line] = lines else {
            assert!(lines.is_empty(), "several origins were admitted");
            assert!(sent.is_admitted() && granted.is_none());
            continue;
        };
        assert_ne!(sent.is_admitted(), preflight);
        assert_eq!(granted, Some(line));
        let text = std::str::from_utf8(line.as_bytes()).expect("text");
        match Url::parse(text) {
            Ok(url) => assert!(is_bare(&url, text) && is_allowed(&url), "{text:?} passed"),
            // A label that is no Punycode, which is only compared.
            Err(_) => assert!(is_below_parent(text), "{text:?} passed"),
        }
    }
}

/// Whether the text is nothing but scheme, host and port.
fn is_bare(url: &Url, text: &str) -> bool {
    url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && text.matches('/').count() == 2
        && !text.contains(['@', '?', '#', '\\', '%', ',', ' '])
}

fn is_listed(url: &Url) -> bool {
    let same = |listed: &str| {
        let listed = Url::parse(listed).expect("a URL");
        url.scheme() == listed.scheme()
            // A host of a scheme without a standard keeps its case.
            && url.host_str().map(str::to_ascii_lowercase) == listed.host_str().map(str::to_owned)
            && url.port_or_known_default() == listed.port_or_known_default()
    };
    let below = |host: &str| host.len() > PARENT.len() && host.ends_with(PARENT);
    let is_below = url.scheme() == "https"
        && url.port_or_known_default() == Some(443)
        && url.domain().is_some_and(below);
    is_below || LISTED.iter().any(|listed| same(listed))
}

fn is_loopback(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

fn is_below_parent(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let host = text.strip_suffix(":443").unwrap_or(&text);
    text.contains("xn--") && host.starts_with("https://") && host.ends_with(PARENT)
}
