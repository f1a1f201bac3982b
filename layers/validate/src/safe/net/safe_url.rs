use std::{fmt, marker::PhantomData};

use bartizan_core::uri_without_secrets;
use bartizan_fetch::WebUrl;

use super::{
    PublicHttps, UrlRules,
    host::{is_listed, rule_broken_by_name},
    rules::are_hosts,
};
use crate::safe::{
    Refused,
    read::{FromText, compares_as_text, text_type},
};

/// A URL that a caller may have fetched: see [the module](super). By default `https` on port 443, and a host that the whole
/// Internet reaches. At most 2048 bytes, no user information, no fragment, and only spellings that all parsers read alike:
/// names in ASCII (`xn--…`), addresses in their own form.
///
/// What a name leads to is known when it is connected to: fetch it with [`SafeFetch`](super::SafeFetch).
pub struct SafeUrl<R = PublicHttps> {
    text: Box<str>,
    mark: PhantomData<fn() -> R>,
}

impl<R> SafeUrl<R> {
    /// The longest, in bytes.
    pub const MAX: usize = 2048;
}

impl<R: UrlRules> SafeUrl<R> {
    const ARE_HOSTS: () = assert!(are_hosts(R::HOSTS), "a host is not one in lower case");

    /// The URL, if the text is one.
    ///
    /// # Errors
    ///
    /// With the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, Refused> {
        Self::from_text(text)
    }

    /// Its host, as it is written.
    pub fn host(&self) -> &str {
        WebUrl::parse(&self.text).map_or("", |url| url.host())
    }
}

impl<R: UrlRules> FromText for SafeUrl<R> {
    const WHAT: &'static str = "URL";

    fn from_text(text: &str) -> Result<Self, Refused> {
        let () = Self::ARE_HOSTS;
        match rule_broken_by::<R>(text) {
            Some(rule) => Err(Refused::new(Self::WHAT, rule)),
            None => Ok(Self {
                text: text.into(),
                mark: PhantomData,
            }),
        }
    }
}

fn rule_broken_by<R: UrlRules>(text: &str) -> Option<&'static str> {
    if text.len() > SafeUrl::<R>::MAX {
        return Some("is too long");
    }
    let is_admitted = text.starts_with("https://") || R::DANGER_HTTP && text.starts_with("http://");
    if !is_admitted {
        return Some(match R::DANGER_HTTP {
            true => "does not begin with `https://` or `http://`",
            false => "does not begin with `https://`",
        });
    }
    if text.contains('#') {
        return Some("has a fragment");
    }
    let Some(url) = WebUrl::parse(text) else {
        return Some("is not a plain one, with a host in ASCII or an address in its usual form");
    };
    let is_port = |port| R::PORTS.iter().any(|ports| ports.contains(&port));
    if !url.port().is_some_and(is_port) {
        return Some("has a port that is not admitted");
    }
    let host = url.host().to_ascii_lowercase();
    let is_this_machine = R::DANGER_THIS_MACHINE && url.is_loopback();
    if !is_this_machine {
        let rule = match url.address() {
            Some(_) if host.ends_with('.') => Some("has a dot at the end of its host"),
            Some(address) if R::REACH.admits(address) => None,
            Some(_) => Some("has an address that is not one of the hosts to reach"),
            None if is_listed(&host, R::HOSTS) && !url.is_loopback() => None,
            None => rule_broken_by_name(&host),
        };
        if rule.is_some() {
            return rule;
        }
    }
    let is_any = R::HOSTS.is_empty() || is_listed(&host, R::HOSTS);
    (!is_any).then_some("has a host that is not listed")
}

/// Without the query, which may hold a secret.
impl<R> fmt::Debug for SafeUrl<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = uri_without_secrets(&self.text);
        f.debug_tuple("SafeUrl").field(&shown).finish()
    }
}

compares_as_text!([R] SafeUrl<R>);

text_type! {
    [R: UrlRules] SafeUrl<R>, "SafeUrl",
    schema: {
        "format": "uri",
        "maxLength": SafeUrl::<R>::MAX,
        "pattern": format!(
            r"^http{}://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{{1,5}})?([/?][!$-;=?-\[\]-~]*)?$",
            match R::DANGER_HTTP { true => "s?", false => "s" },
        ),
        "description": match R::HOSTS {
            [] => "URL of a public host".to_owned(),
            hosts => format!("URL of one of the hosts {}", hosts.join(", ")),
        },
    }
}
