use std::{
    env,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{AGE, CACHE_CONTROL},
};
use reqwest::{
    Client, Url,
    dns::{Name, Resolve, Resolving},
    redirect,
};

use crate::{Document, FetchDocument, FetchError, Fetching, Reach, WebUrl, reach::Target};

/// Fetches over HTTP: no redirects, no cookies, a time limit, a size limit counted as it arrives.
///
/// A host is connected to at an address that was looked at (SS-1): what a name resolves to is
/// filtered by [`Reach`], and the connection takes what is left. A URL of this machine, `localhost`
/// or a loopback address, reaches this machine and nothing else.
///
/// TLS is rustls with the system's trust store. If the process installed a rustls provider, that
/// one is used, otherwise aws-lc-rs; nothing is installed. Proxies named by the environment are
/// honoured, but not for loopback hosts. A proxy resolves the names that it is asked for, and what it
/// reaches is its own affair ([`without_proxies`](Self::without_proxies) uses none); hosts that the
/// environment exempts from it (`NO_PROXY`) are judged.
#[derive(Debug, Clone)]
pub struct HttpFetch {
    direct: Client,
    outbound: Client,
    reach: Reach,
}

/// Connections to one host that are kept for the next request.
const MAX_IDLE: usize = 16;

impl HttpFetch {
    /// A client whose connections and exchanges take at most `timeout` each, and which reaches
    /// the public Internet.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn new(timeout: Duration) -> Result<Self, FetchError> {
        Self::reaching(Reach::Public, timeout)
    }

    /// The same with another reach.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn reaching(reach: Reach, timeout: Duration) -> Result<Self, FetchError> {
        Self::with(reach, timeout, Some(proxy_hosts()), lookup)
    }

    /// The same without the proxies that the environment names: every host is connected to at an
    /// address that was judged here. For URLs that strangers chose.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn without_proxies(reach: Reach, timeout: Duration) -> Result<Self, FetchError> {
        Self::with(reach, timeout, None, lookup)
    }

    fn with(
        reach: Reach,
        timeout: Duration,
        proxies: Option<Vec<String>>,
        lookup: Lookup,
    ) -> Result<Self, FetchError> {
        let client = |target, proxies: Option<Vec<String>>| {
            let mut builder = Client::builder()
                .redirect(redirect::Policy::none())
                .connect_timeout(timeout)
                .timeout(timeout)
                .pool_max_idle_per_host(MAX_IDLE)
                .user_agent(concat!("bartizan/", env!("CARGO_PKG_VERSION")));
            if proxies.is_none() {
                builder = builder.no_proxy();
            }
            builder = builder.dns_resolver(Arc::new(Resolver {
                target,
                proxies: proxies.unwrap_or_default(),
                lookup,
            }));
            builder.build().map_err(plain)
        };
        Ok(Self {
            direct: client(Target::ThisMachine, None)?,
            outbound: client(Target::Elsewhere(reach), proxies)?,
            reach,
        })
    }

    /// Sends a request and reads the whole answer, whatever its status, unless it is larger than
    /// `max_bytes`.
    ///
    /// # Errors
    ///
    /// If the URL is no plain one or must not be reached, or the exchange fails. The text names no
    /// URL and no header.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        max_bytes: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        let (head, body) = self.exchange(request).await?;
        let body = read(body, max_bytes).await?;
        Ok(head.map(|()| body))
    }

    /// Sends a request and waits for the head of its answer, whatever its status. What comes behind it is not
    /// read, so that neither its size nor a server that stops in the middle counts.
    ///
    /// # Errors
    ///
    /// As of [`send`](Self::send).
    pub async fn send_for_head(&self, request: Request<Bytes>) -> Result<Response<()>, FetchError> {
        let (head, _unread) = self.exchange(request).await?;
        Ok(head)
    }

    /// The head of an answer, and what its body is read of.
    async fn exchange(
        &self,
        request: Request<Bytes>,
    ) -> Result<(Response<()>, reqwest::Response), FetchError> {
        let client = self.client_for(&request.uri().to_string())?;
        let request = request.try_into().map_err(plain)?;
        let mut response = client.execute(request).await.map_err(plain)?;
        let mut head = Response::new(());
        *head.status_mut() = response.status();
        *head.headers_mut() = std::mem::take(response.headers_mut());
        Ok((head, response))
    }

    async fn get(&self, url: &str, max_bytes: usize) -> Result<Document, FetchError> {
        let response = self.client_for(url)?.get(url).send().await.map_err(plain)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::new(format!("status {}", response.status())));
        }
        let max_age = max_age(response.headers());
        let document = Document::from(read(response, max_bytes).await?);
        Ok(match max_age {
            Some(max_age) => document.with_max_age(max_age),
            None => document,
        })
    }

    fn client_for(&self, url: &str) -> Result<&Client, FetchError> {
        let target = WebUrl::parse(url).ok_or_else(|| FetchError::new("no plain URL"))?;
        if target.is_loopback() {
            return Ok(&self.direct);
        }
        // An address in the URL is connected to without asking the resolver.
        if let Some(address) = target.address() {
            Target::Elsewhere(self.reach).check(address)?;
        }
        Ok(&self.outbound)
    }
}

async fn read(mut response: reqwest::Response, max_bytes: usize) -> Result<Bytes, FetchError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(plain)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(FetchError::new(format!("larger than {max_bytes} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

impl FetchDocument for HttpFetch {
    fn fetch<'a>(&'a self, url: &'a str, max_bytes: usize) -> Fetching<'a> {
        Box::pin(self.get(url, max_bytes))
    }
}

/// Finds the addresses of a name.
type Lookup = fn(String) -> Resolving;

fn lookup(name: String) -> Resolving {
    Box::pin(async move {
        let found: Vec<_> = tokio::net::lookup_host((name, 0)).await?.collect();
        Ok(Box::new(found.into_iter()) as _)
    })
}

/// Finds the addresses of a name that may be connected to.
struct Resolver {
    target: Target,
    /// The operator's, which may be anywhere.
    proxies: Vec<String>,
    lookup: Lookup,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (target, found) = (self.target, (self.lookup)(name.as_str().to_owned()));
        let is_proxy = |proxy: &String| proxy.eq_ignore_ascii_case(name.as_str());
        if self.proxies.iter().any(is_proxy) {
            return found;
        }
        Box::pin(async move {
            let mut refusal = FetchError::new("the name has no address");
            let mut admitted: Vec<SocketAddr> = Vec::new();
            for address in found.await? {
                match target.check(address.ip()) {
                    Ok(()) => admitted.push(address),
                    Err(error) => refusal = error,
                }
            }
            if admitted.is_empty() {
                return Err(refusal.into());
            }
            Ok(Box::new(admitted.into_iter()) as _)
        })
    }
}

impl Target {
    fn check(self, address: IpAddr) -> Result<(), FetchError> {
        let problem = match self {
            Self::ThisMachine if address.is_loopback() => return Ok(()),
            Self::ThisMachine => "is not on this machine",
            Self::Elsewhere(reach) if reach.admits(address) => return Ok(()),
            Self::Elsewhere(_) if Reach::Private.admits(address) => {
                "is in a private network, which needs `allow_private_issuer`, or `allow_private_network` of a webhook"
            }
            Self::Elsewhere(_) => "is of no host that may be reached",
        };
        Err(FetchError::new(format!("{address} {problem}")))
    }
}

/// The hosts of the proxies that the environment names, in any of the spellings that reqwest reads.
fn proxy_hosts() -> Vec<String> {
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let names = names
        .iter()
        .flat_map(|name| [(*name).to_owned(), name.to_ascii_lowercase()]);
    let proxies = names.filter_map(|name| env::var(name).ok());
    proxies.filter_map(|proxy| host_of_proxy(&proxy)).collect()
}

fn host_of_proxy(proxy: &str) -> Option<String> {
    let with_scheme = || Url::parse(&format!("http://{proxy}"));
    let url = if proxy.contains("://") {
        Url::parse(proxy)
    } else {
        with_scheme()
    };
    url.ok()?.host_str().map(str::to_owned)
}

/// For how long an answer says that it is fresh (RFC 9111 §4.2.1), if it says so.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(CACHE_CONTROL).iter();
    // A directive that cannot be read takes none of its neighbours with it.
    let directives = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let mut max_age: Option<Duration> = None;
    for directive in directives.filter_map(|directive| str::from_utf8(directive).ok()) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(Duration::ZERO),
            "max-age" => {
                let seconds = value.trim().trim_matches('"').parse().ok();
                let stated = seconds.map(Duration::from_secs);
                max_age = max_age.into_iter().chain(stated).min();
            }
            _ => {}
        }
    }
    let age = headers.get(AGE).and_then(|age| age.to_str().ok());
    let age = age.and_then(|age| age.trim().parse().ok());
    max_age.map(|max_age| max_age.saturating_sub(age.map_or(Duration::ZERO, Duration::from_secs)))
}

/// With the causes, which reqwest's own text leaves out.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn plain(error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    FetchError::new(text)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    /// Names that say where they lead: `10-0-0-1.test` to one address, `both.test` to two.
    fn scripted(name: String) -> Resolving {
        let addresses: Vec<SocketAddr> = match name.strip_suffix(".test") {
            Some("both") => vec!["10.0.0.1", "127.0.0.1"],
            Some("v6") => vec!["::1", "::ffff:127.0.0.1"],
            _ => vec!["127.0.0.1"],
        }
        .into_iter()
        .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
        .collect();
        Box::pin(async { Ok(Box::new(addresses.into_iter()) as _) })
    }

    async fn refusal(reach: Reach, url: &str) -> String {
        let fetch = HttpFetch::with(reach, SOON, Some(Vec::new()), scripted).unwrap();
        fetch.fetch(url, 100).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn ss_1_ss_2_a_name_that_leads_to_this_machine_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for reach in [Reach::Public, Reach::Private] {
            for name in ["rebound.test", "v6.test"] {
                let reason = refusal(reach, &format!("http://{name}:{port}/jwks")).await;
                assert!(
                    reason.contains("is of no host that may be reached"),
                    "{reason}"
                );
            }
        }
        let reason = refusal(Reach::Public, &format!("http://both.test:{port}/")).await;
        assert!(reason.contains("127.0.0.1 is of no host"), "{reason}");
        let connected = tokio::time::timeout(Duration::from_millis(50), listener.accept());
        assert!(connected.await.is_err());
    }

    #[tokio::test]
    async fn a_head_counts_though_its_body_never_ends_and_redirects_are_not_followed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let mut connections = 0;
            while let Ok((mut stream, _)) = listener.accept().await {
                connections += 1;
                let mut head = [0; 1024];
                let read = stream.read(&mut head).await.unwrap();
                assert!(head[..read].starts_with(b"POST /hook HTTP/1.1\r\n"));
                let head: &[u8] = match connections {
                    1 => b"HTTP/1.1 202 Accepted\r\ncontent-length: 99999999\r\n\r\nhalf of it",
                    2 => b"HTTP/1.1 307 Elsewhere\r\nlocation: /hook\r\ncontent-length: 0\r\n\r\n",
                    _ => break,
                };
                stream.write_all(head).await.unwrap();
            }
            connections
        });
        let fetch = HttpFetch::new(SOON).unwrap();
        let send = || {
            let request = Request::post(&url).body(Bytes::from_static(b"{}")).unwrap();
            fetch.send_for_head(request)
        };
        assert_eq!(send().await.unwrap().status(), StatusCode::ACCEPTED);
        let answer = send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(answer.headers()["location"], "/hook");
        // Nobody came again by himself; the third one is this.
        send().await.unwrap_err();
        assert_eq!(server.await.unwrap(), 3);
        let refused = Request::post("http://169.254.169.254/")
            .body(Bytes::new())
            .unwrap();
        let refused = fetch.send_for_head(refused).await.unwrap_err().to_string();
        assert!(refused.contains("of no host"), "{refused}");
    }

    #[tokio::test]
    async fn ss_2_an_address_in_the_url_is_judged_like_any_other() {
        for (url, problem) in [
            ("http://10.0.0.1/jwks", "needs `allow_private_issuer`"),
            ("http://[fd00::1]/jwks", "needs `allow_private_issuer`"),
            ("http://169.254.169.254/latest", "of no host"),
            ("http://[::ffff:127.0.0.1]/jwks", "of no host"),
            ("http://0.0.0.0/jwks", "of no host"),
        ] {
            let reason = refusal(Reach::Public, url).await;
            assert!(reason.contains(problem), "{url}: {reason}");
        }
    }

    #[tokio::test]
    async fn localhost_is_this_machine_whatever_the_resolver_says() {
        fn elsewhere(_: String) -> Resolving {
            let address = SocketAddr::new("192.168.7.7".parse().unwrap(), 0);
            Box::pin(async move { Ok(Box::new(std::iter::once(address)) as _) })
        }
        let fetch = HttpFetch::with(Reach::Private, SOON, Some(Vec::new()), elsewhere).unwrap();
        let error = fetch.fetch("http://localhost:1/", 100).await.unwrap_err();
        let reason = error.to_string();
        assert!(reason.contains("is not on this machine"), "{reason}");
    }

    #[tokio::test]
    async fn a_proxy_may_be_anywhere_and_names_beside_it_are_judged() {
        let resolve = |name: &'static str| {
            let resolver = Resolver {
                target: Target::Elsewhere(Reach::Public),
                proxies: vec!["proxy.test".into()],
                lookup: scripted,
            };
            async move { resolver.resolve(name.parse().unwrap()).await.is_ok() }
        };
        assert!(resolve("proxy.test").await && resolve("Proxy.Test").await);
        assert!(!resolve("other.test").await);
        assert!(!resolve("sub.proxy.test").await);
        for (proxy, host) in [
            ("http://proxy.test:3128", Some("proxy.test")),
            ("socks5h://ann:secret@Proxy.Test:1080/", Some("proxy.test")),
            ("proxy.test:3128", Some("proxy.test")),
            ("proxy.test", Some("proxy.test")),
            ("", None),
        ] {
            let found = host_of_proxy(proxy);
            let is_same = |found: String| found.eq_ignore_ascii_case(host.unwrap_or_default());
            assert_eq!(found.map(is_same), host.map(|_| true), "{proxy}");
        }
    }

    const BESIDE: &str = "BARTIZAN_TEST_BESIDE_PROXY";

    /// Clients read the environment, so this test runs again as a process with another one.
    #[tokio::test]
    async fn proxies_of_the_environment_are_used_unless_without() {
        let soon = Duration::from_millis(300);
        if let Ok(beside) = env::var(BESIDE) {
            let fetch = match &*beside {
                "true" => HttpFetch::without_proxies(Reach::Private, soon),
                _ => HttpFetch::reaching(Reach::Private, soon),
            };
            let _ = fetch.unwrap().fetch("http://10.255.255.1/", 100).await;
            return;
        }
        for beside in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let proxy = format!("http://{}", listener.local_addr().unwrap());
            let test = "http_fetch::tests::proxies_of_the_environment_are_used_unless_without";
            let mut again = std::process::Command::new(env::current_exe().unwrap());
            again
                .args(["--exact", test])
                .env(BESIDE, beside.to_string());
            again.env_remove("NO_PROXY").env_remove("no_proxy");
            again.env("http_proxy", &proxy).env("all_proxy", &proxy);
            assert!(again.output().unwrap().status.success());
            let connected = tokio::time::timeout(Duration::from_millis(50), listener.accept());
            assert_eq!(connected.await.is_err(), beside);
        }
    }

    #[test]
    fn freshness_is_read_as_rfc_9111_says() {
        let of = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, value.parse().unwrap());
            }
            max_age(&headers).map(|age| age.as_secs())
        };
        let cache = "cache-control";
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(cache, "public")]), None);
        assert_eq!(of(&[(cache, "public, max-age=600")]), Some(600));
        assert_eq!(of(&[(cache, "Max-Age=\"600\"")]), Some(600));
        assert_eq!(of(&[(cache, "public"), (cache, "max-age=9")]), Some(9));
        assert_eq!(of(&[(cache, "max-age=600"), ("age", "500")]), Some(100));
        assert_eq!(of(&[(cache, "max-age=600"), ("age", "700")]), Some(0));
        assert_eq!(of(&[(cache, "max-age=600, no-cache")]), Some(0));
        assert_eq!(of(&[(cache, "no-store")]), Some(0));
        assert_eq!(of(&[(cache, "max-age=soon")]), None);
        assert_eq!(of(&[(cache, "max-age=-1")]), None);
        // What cannot be read spoils nothing beside it.
        assert_eq!(of(&[(cache, "max-age=soon, no-store")]), Some(0));
        assert_eq!(of(&[(cache, "max-age=600, max-age=soon")]), Some(600));
        assert_eq!(of(&[(cache, "max-age=soon, max-age=600")]), Some(600));
        assert_eq!(of(&[(cache, "x=\u{e9}, no-store")]), Some(0));
        // Of two that contradict each other the shorter.
        assert_eq!(of(&[(cache, "max-age=600, max-age=900")]), Some(600));
        assert_eq!(
            of(&[(cache, "max-age=900"), (cache, "max-age=600")]),
            Some(600)
        );
    }
}
