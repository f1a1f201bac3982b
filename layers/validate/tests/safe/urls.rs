use std::{ops::RangeInclusive, time::Duration};

use bartizan_validate::safe::net::{Reach, SafeFetch, SafeFetchErrorKind, SafeUrl, UrlRules};
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use url::{Host, Url};

use crate::vectors::hold;

const URLS: &str = include_str!("../../../../tests/vectors/safe/urls.txt");

const SOON: Duration = Duration::from_secs(5);

#[test]
fn ss_1_ss_2_urls_that_lead_inwards_are_refused_in_every_spelling() {
    hold::<SafeUrl>(URLS, &["refused"]);
    let long = format!("https://example.org/{}", "a".repeat(2048 - 20));
    assert!(SafeUrl::<Listed>::new(&long).is_ok());
    assert!(SafeUrl::<Listed>::new(&format!("{long}a")).is_err());
}

struct Listed;

impl UrlRules for Listed {
    const HOSTS: &'static [&'static str] = &["example.org", "*.example.com", "wiki.corp"];
    const PORTS: &'static [RangeInclusive<u16>] = &[443..=443, 8000..=8999];
}

struct Network;

impl UrlRules for Network {
    const REACH: Reach = Reach::Private;
    const DANGER_HTTP: bool = true;
    const PORTS: &'static [RangeInclusive<u16>] = &[80..=80, 443..=443];
}

#[test]
fn hosts_and_ports_are_those_that_are_listed() {
    for yes in [
        "https://example.org/",
        "https://Example.ORG:8443/",
        "https://a.example.com/",
        "https://a.b.example.com/",
        "https://wiki.corp/",
    ] {
        assert!(SafeUrl::<Listed>::new(yes).is_ok(), "{yes}");
    }
    for no in [
        "https://www.example.org/",
        "https://example.com/",
        "https://.example.com/",
        "https://evilexample.com/",
        "https://example.org.evil.example/",
        "https://example.org:9000/",
        "https://example.org:80/",
        "https://a.wiki.corp/",
        "https://1.1.1.1/",
        "https://example.org./",
    ] {
        assert!(SafeUrl::<Listed>::new(no).is_err(), "{no}");
    }
}

#[test]
fn ss_2_private_networks_are_admitted_and_this_machine_is_not() {
    for yes in [
        "http://10.0.0.1/",
        "https://[fd12::1]/",
        "http://192.168.1.1:443/",
    ] {
        assert!(SafeUrl::<Network>::new(yes).is_ok(), "{yes}");
    }
    for no in [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://169.254.169.254/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "ftp://10.0.0.1/",
        "http://10.1/",
    ] {
        assert!(SafeUrl::<Network>::new(no).is_err(), "{no}");
    }
}

/// A list of hosts is no way around `DANGER_THIS_MACHINE`.
#[test]
fn ss_2_this_machine_is_not_admitted_by_listing_its_name() {
    struct Named<const DANGER: bool>;
    impl<const DANGER: bool> UrlRules for Named<DANGER> {
        const HOSTS: &'static [&'static str] = &["localhost", "127.0.0.1"];
        const DANGER_THIS_MACHINE: bool = DANGER;
    }
    for url in [
        "https://localhost/",
        "https://LocalHost/",
        "https://127.0.0.1/",
    ] {
        assert!(SafeUrl::<Named<false>>::new(url).is_err(), "{url}");
        assert!(SafeUrl::<Named<true>>::new(url).is_ok(), "{url}");
    }
}

#[test]
fn a_url_is_shown_without_its_query() {
    let url = SafeUrl::<Network>::new("https://example.org/x?token=s3cret").unwrap();
    assert_eq!(format!("{url:?}"), "SafeUrl(\"https://example.org/x\")");
    assert_eq!(url.as_str(), "https://example.org/x?token=s3cret");
    assert_eq!(url.host(), "example.org");
}

#[cfg(feature = "schemars")]
#[test]
fn scheme_and_form_stand_in_the_schema() {
    use crate::vectors::schema_refuses;
    for no in [
        "http://example.org/",
        "file:///x",
        "https://a@b.example/",
        "https://a b/",
        "https://a#b",
    ] {
        assert!(schema_refuses::<SafeUrl>(no), "{no}");
    }
    assert!(!schema_refuses::<SafeUrl<Network>>("http://example.org/"));
    let schema = schemars::schema_for!(SafeUrl<Listed>);
    let text = schema.get("description").unwrap().as_str().unwrap();
    assert_eq!(
        text,
        "URL of one of the hosts example.org, *.example.com, wiki.corp"
    );
}

proptest! {
    #[test]
    fn the_url_standard_reads_the_same_host(text in r"https?://[a-c0-9x.:@\[\]/\\%-]{1,24}|https://(0|0x|1|127|0177|255|\.|:|f|\[|\]){1,9}/") {
        if let Ok(url) = SafeUrl::<Network>::new(&text) {
            // Names of private networks are not resolved here, nor is what an IDNA label decodes to.
            let read = Url::parse(&text).unwrap();
            prop_assert_eq!(read.username(), "");
            let host = url.host().to_ascii_lowercase();
            match read.host().unwrap() {
                Host::Domain(name) => prop_assert_eq!(name, &host),
                Host::Ipv4(address) => prop_assert!(Reach::Private.admits(address.into()) && host == address.to_string()),
                Host::Ipv6(address) => prop_assert!(Reach::Private.admits(address.into()) && host.starts_with('[')),
            }
        }
    }

    #[test]
    fn any_text_is_judged_without_panic(text in any::<String>(), rest in any::<String>()) {
        let _ = SafeUrl::<Listed>::new(&text);
        let _ = SafeUrl::<Listed>::new(&format!("https://{rest}"));
    }
}

/// This machine, so that there is something to fetch from.
struct Here;

impl UrlRules for Here {
    const PORTS: &'static [RangeInclusive<u16>] = &[1..=65535];
    const DANGER_HTTP: bool = true;
    const DANGER_THIS_MACHINE: bool = true;
}

/// A server that answers a path with what `answer` makes of it.
async fn serve(answer: impl Fn(&str) -> String + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            assert!(!head.to_ascii_lowercase().contains("cookie"));
            let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
            let _ = stream.write_all(answer(&path).as_bytes()).await;
        }
    });
    port
}

fn page(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\nset-cookie: a=b\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn to(location: &str) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nconnection: close\r\nset-cookie: a=b\r\ncontent-length: 0\r\n{location}\r\n\r\n"
    )
}

fn at(port: u16, path: &str) -> SafeUrl<Here> {
    SafeUrl::new(&format!("http://127.0.0.1:{port}{path}")).unwrap()
}

#[tokio::test]
async fn what_is_fetched_has_a_size_and_redirects_are_the_callers_choice() {
    let port = serve(|path| match path {
        "/page" => page("12345"),
        _ => to("location: /page"),
    })
    .await;
    let fetch = SafeFetch::<Here>::new(SOON).unwrap();
    let answer = fetch.get(&at(port, "/page"), 5).await.unwrap();
    assert_eq!(answer.body(), "12345");
    let error = fetch.get(&at(port, "/page"), 4).await.unwrap_err();
    assert_eq!(error.kind(), SafeFetchErrorKind::Fetch);
    assert_eq!(fetch.get(&at(port, "/"), 5).await.unwrap().status(), 302);
    let answer = fetch
        .follow_redirects(1)
        .get(&at(port, "/"), 5)
        .await
        .unwrap();
    assert_eq!(answer.body(), "12345");
}

#[tokio::test]
async fn ss_1_each_redirect_is_judged_like_the_first_url() {
    let secret = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let inner = secret.local_addr().unwrap().port();
    let port = serve(move |path| {
        to(&match path {
            "/private" => "location: http://10.0.0.1/".to_owned(),
            "/metadata" => "location: http://169.254.169.254/latest/".to_owned(),
            "/number" => "location: http://2852039166/".to_owned(),
            "/slashes" => "location: //169.254.169.254/".to_owned(),
            "/backslashes" => "location: \\\\169.254.169.254\\".to_owned(),
            "/mapped" => "location: http://[::ffff:169.254.169.254]/".to_owned(),
            "/zero" => format!("location: http://0.0.0.0:{inner}/"),
            "/file" => "location: file:///etc/passwd".to_owned(),
            "/gopher" => format!("location: gopher://127.0.0.1:{inner}/_x"),
            "/user" => format!("location: http://a@127.0.0.1:{inner}/"),
            "/none" => "x-other: 1".to_owned(),
            "/two" => format!("location: /a\r\nlocation: http://127.0.0.1:{inner}/"),
            "/bytes" => "location: /\u{e9}".to_owned(),
            "/name" => "location: http://metadata.google.internal/".to_owned(),
            "/single" => "location: http://intranet/".to_owned(),
            other => panic!("{other}"),
        })
    })
    .await;
    let fetch = SafeFetch::<Here>::new(SOON).unwrap().follow_redirects(5);
    for path in [
        "/private",
        "/metadata",
        "/number",
        "/slashes",
        "/backslashes",
        "/mapped",
        "/zero",
        "/file",
        "/gopher",
        "/user",
        "/none",
        "/two",
        "/bytes",
        "/name",
        "/single",
    ] {
        let error = fetch.get(&at(port, path), 100).await.unwrap_err();
        assert_eq!(error.kind(), SafeFetchErrorKind::Redirect, "{path}");
        assert_eq!(
            error.to_string(),
            "the URL redirects to what is not fetched"
        );
    }
    let connected = tokio::time::timeout(Duration::from_millis(50), secret.accept());
    assert!(connected.await.is_err());
}

#[tokio::test]
async fn redirects_have_an_end() {
    let port = serve(|path| to(&format!("location: {path}x#part"))).await;
    let fetch = SafeFetch::<Here>::new(SOON).unwrap().follow_redirects(3);
    let error = fetch.get(&at(port, "/"), 100).await.unwrap_err();
    assert_eq!(error.kind(), SafeFetchErrorKind::TooManyRedirects);
}

#[tokio::test]
async fn a_server_that_never_ends_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let fetch = SafeFetch::<Here>::new(Duration::from_millis(200)).unwrap();
    let error = fetch.get(&at(port, "/"), 100).await.unwrap_err();
    assert_eq!(error.kind(), SafeFetchErrorKind::Fetch);
    assert_eq!(error.to_string(), "the URL could not be fetched");
}
