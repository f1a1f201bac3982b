use std::{sync::Arc, time::Duration};

use tower_layer::Layer;

use crate::{error::CorsConfigError, origin::Origin, policy::Policy, service::Cors};

/// CORS and Origin enforcement from one allowlist (OH-1, OH-2, OH-5 … OH-8).
///
/// A new layer lists nobody: every request that names an Origin is refused, every other passes.
/// Clones are cheap.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct CorsLayer {
    policy: Arc<Policy>,
}

impl CorsLayer {
    /// The longest time that a preflight may be remembered: a day, the most that any browser honours.
    pub const MAX_AGE: Duration = Duration::from_secs(86_400);

    /// A layer that lists nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists an origin: `https://app.example.com`, `http://localhost:5173`, `chrome-extension://<id>`,
    /// or every subdomain of one, `https://*.example.com`.
    ///
    /// Compared are scheme, host and port, with default ports filled in (OH-2). A star stands for
    /// one or more labels, not for the parent itself, and demands two labels after it. Twice the
    /// same is fine.
    ///
    /// # Errors
    ///
    /// If the entry is not exactly an origin: `*`, `null`, a path or a trailing slash, user
    /// information, a port outside 1 to 65535, a host that is not ASCII (write `xn--…`) or ends
    /// with a dot; if a star stands anywhere else; if credentials are allowed and the entry is
    /// a pattern, or plain `http` to another machine.
    pub fn allow_origin(self, origin: &str) -> Result<Self, CorsConfigError> {
        self.change(|policy| policy.origins.add(origin))
    }

    /// Lists several origins.
    ///
    /// # Errors
    ///
    /// As [`allow_origin`](Self::allow_origin), for the first bad one.
    pub fn allow_origins<I>(self, origins: I) -> Result<Self, CorsConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.change(|policy| {
            let mut origins = origins.into_iter();
            origins.try_for_each(|origin| policy.origins.add(origin.as_ref()))
        })
    }

    /// Lists `localhost`, `127.0.0.1` and `[::1]` at any port, over HTTP and HTTPS.
    ///
    /// For servers that run beside the browser. Every page that anything on that machine serves
    /// is then allowed.
    ///
    /// # Errors
    ///
    /// If credentials are allowed.
    pub fn allow_loopback(self) -> Result<Self, CorsConfigError> {
        self.change(|policy| {
            policy.origins.add_loopback();
            Ok(())
        })
    }

    /// Replaces the methods granted to preflights: `POST, GET, DELETE` unless set (OH-7).
    ///
    /// Browsers send `GET`, `HEAD` and `POST` without asking for the method: this list is no
    /// access control. Protocol revisions since 2026-07-28 use `POST` alone (OH-7, SE-5).
    ///
    /// # Errors
    ///
    /// If there is none, or one is not an upper-case name, or is one that browsers forbid
    /// (`CONNECT`, `TRACE`, `TRACK`).
    pub fn methods<I>(self, methods: I) -> Result<Self, CorsConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.change(|policy| policy.set_methods(methods))
    }

    /// Grants request headers beyond those of MCP (OH-6), which are always granted.
    ///
    /// # Errors
    ///
    /// If one is not a header name. `*` isn't, and prefix wildcards do not exist (TR-10).
    pub fn allow_headers<I>(self, names: I) -> Result<Self, CorsConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.change(|policy| {
            let mut names = names.into_iter();
            names.try_for_each(|name| policy.grant(name.as_ref()))
        })
    }

    /// Lets scripts read response headers beyond those of MCP (OH-7), which they always can.
    ///
    /// # Errors
    ///
    /// If one is not a header name, or `*`.
    pub fn expose_headers<I>(self, names: I) -> Result<Self, CorsConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.change(|policy| {
            let mut names = names.into_iter();
            names.try_for_each(|name| policy.expose(name.as_ref()))
        })
    }

    /// How long a browser may remember a preflight: an hour unless set; zero means not at all.
    ///
    /// What is remembered weakens nothing: the request itself is judged every time. Parts of a
    /// second are dropped.
    ///
    /// # Errors
    ///
    /// If it is longer than [`MAX_AGE`](Self::MAX_AGE).
    pub fn max_age(self, max_age: Duration) -> Result<Self, CorsConfigError> {
        if max_age > Self::MAX_AGE {
            let seconds = max_age.as_secs().to_string();
            return Err(CorsConfigError::new(
                "max age",
                seconds,
                "is above 86400 seconds",
            ));
        }
        self.change(|policy| {
            policy.max_age = max_age.as_secs().into();
            Ok(())
        })
    }

    /// Lets browsers send cookies, client certificates and HTTP logins along.
    ///
    /// Off unless set, and MCP does not need it: a bearer token that a script sets is not a
    /// credential in this sense.
    ///
    /// # Errors
    ///
    /// If not every listed origin is listed one by one: [`allow_loopback`](Self::allow_loopback)
    /// or a subdomain pattern; or if one is plain `http` to another machine, for which anybody
    /// on the way can speak.
    pub fn allow_credentials(self) -> Result<Self, CorsConfigError> {
        self.change(|policy| {
            policy.credentials = true;
            Ok(())
        })
    }

    /// Answers `Access-Control-Request-Private-Network`, with which a browser asks whether a page
    /// from a public address may reach this server at a private one.
    pub fn allow_private_network(mut self) -> Self {
        Arc::make_mut(&mut self.policy).private_network = true;
        self
    }

    /// Whether the value of an Origin field is allowed; for tests of a configuration.
    pub fn allows(&self, origin: impl AsRef<[u8]>) -> bool {
        Origin::parse(origin.as_ref()).is_ok_and(|origin| self.policy.origins.contains(&origin))
    }

    /// Changes the policy and checks what the change may contradict.
    fn change(
        mut self,
        change: impl FnOnce(&mut Policy) -> Result<(), CorsConfigError>,
    ) -> Result<Self, CorsConfigError> {
        let policy = Arc::make_mut(&mut self.policy);
        change(policy)?;
        match policy.origins.loose_entry() {
            Some(entry) if policy.credentials => Err(CorsConfigError::new(
                "origin",
                entry,
                "cannot be allowed together with credentials: list each as https",
            )),
            _ => Ok(self),
        }
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = Cors<S>;

    fn layer(&self, inner: S) -> Cors<S> {
        Cors::new(inner, Arc::clone(&self.policy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new() -> CorsLayer {
        CorsLayer::new()
    }

    #[test]
    fn contradictory_settings_are_errors_that_name_the_value() {
        let none: [&str; 0] = [];
        for (result, named) in [
            (new().allow_origin("*"), "origin `*` "),
            (
                new().allow_origins(["https://a.example", "null"]),
                "origin `null` ",
            ),
            (new().methods(none), "methods `` "),
            (new().methods(["post"]), "method `post` "),
            (new().methods(["*"]), "method `*` "),
            (new().methods(["POST", "TRACE"]), "method `TRACE` "),
            (new().methods(["PO ST"]), "method `PO ST` "),
            (new().methods(["A\nB"]), "method `A\\u{a}B` "),
            (new().allow_headers(["*"]), "header `*` "),
            (new().allow_headers(["x-a-*"]), "header `x-a-*` "),
            (new().allow_headers(["x a"]), "header `x a` "),
            (new().allow_headers([""]), "header `` "),
            (new().expose_headers(["*"]), "header `*` "),
            (
                new().expose_headers(["x-a\r\n"]),
                "header `x-a\\u{d}\\u{a}` ",
            ),
            (
                new().max_age(Duration::from_secs(86_401)),
                "max age `86401` ",
            ),
            (
                new().max_age(CorsLayer::MAX_AGE + Duration::from_millis(1)),
                "max age `86400` ",
            ),
        ] {
            let text = result.unwrap_err().to_string();
            assert!(text.starts_with(named), "{text}");
            assert!(!text.ends_with('.') && text.is_ascii(), "{text}");
        }
    }

    #[test]
    fn seed_c5_credentials_demand_origins_listed_one_by_one_in_either_order() {
        let pattern = "https://*.example.com";
        let plain = "http://app.example.com";
        for (result, named) in [
            (
                new().allow_credentials().unwrap().allow_origin(pattern),
                pattern,
            ),
            (
                new().allow_origin(pattern).unwrap().allow_credentials(),
                pattern,
            ),
            (
                new().allow_credentials().unwrap().allow_origin(plain),
                plain,
            ),
            (
                new().allow_origin(plain).unwrap().allow_credentials(),
                plain,
            ),
            (
                new().allow_credentials().unwrap().allow_loopback(),
                "loopback at any port",
            ),
            (
                new().allow_loopback().unwrap().allow_credentials(),
                "loopback at any port",
            ),
        ] {
            assert_eq!(result.unwrap_err().value(), named);
        }
        let fine = [
            "https://app.example.com",
            "http://localhost:5173",
            "tauri://localhost",
        ];
        assert!(
            new()
                .allow_origins(fine)
                .unwrap()
                .allow_credentials()
                .is_ok()
        );
    }

    #[test]
    fn a_setter_leaves_clones_alone() {
        let first = new();
        let second = first
            .clone()
            .allow_origin("https://app.example.com")
            .unwrap();
        assert!(!first.allows("https://app.example.com"));
        assert!(second.allows("https://app.example.com"));
    }

    #[test]
    fn methods_may_be_given_as_such_and_twice() {
        let methods = [http::Method::POST, http::Method::GET, http::Method::POST];
        assert_eq!(new().methods(methods).unwrap().policy.methods, "POST, GET");
    }

    #[test]
    fn exposed_headers_are_added_once() {
        let layer = new()
            .expose_headers(["X-Cost", "x-cost", "retry-after"])
            .unwrap();
        let text = layer.policy.exposed.to_str().unwrap();
        assert!(text.starts_with("WWW-Authenticate, "));
        assert!(text.ends_with("X-Request-Id, x-cost"), "{text}");
    }
}
