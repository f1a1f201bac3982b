use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, STRICT_TRANSPORT_SECURITY},
};

use crate::{
    HeadersConfigError, Hsts, cache,
    index::{Index, Known},
    profile::{CLASSIC, FINGERPRINTS, HTML, MCP, Preset},
    values,
};

/// What is done to each answer, made once.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) set: Vec<Set>,
    removed: Vec<HeaderName>,
    /// What is known of a name, whichever list it is in.
    pub(crate) index: Index,
    /// Whether the rule for `Cache-Control` lets shared caches keep what belongs to one caller.
    pub(crate) sets_shared: bool,
    pub(crate) hsts: Option<HeaderValue>,
    pub(crate) tls_terminated_here: bool,
    pub(crate) keep_inner_5xx_bodies: bool,
    /// What the user gave a rule of its own; a second one would contradict it.
    chosen: Vec<HeaderName>,
}

#[derive(Debug, Clone)]
pub(crate) struct Set {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
    pub(crate) overriding: bool,
    /// It speaks to shared caches, which must not keep what belongs to one caller (SH-2, SH-3).
    pub(crate) targeted: bool,
}

impl Rules {
    pub(crate) fn new(presets: &[Preset], hsts: &HeaderValue) -> Self {
        let set = |(name, value): &Preset| Set {
            name: name.clone(),
            value: value.clone(),
            overriding: false,
            targeted: false,
        };
        let mut rules = Self {
            set: presets.iter().map(set).collect(),
            removed: FINGERPRINTS.to_vec(),
            index: Index::default(),
            sets_shared: false,
            hsts: Some(hsts.clone()),
            tls_terminated_here: false,
            keep_inner_5xx_bodies: false,
            chosen: Vec::new(),
        };
        rules.look_up();
        rules
    }

    /// Makes anew what answers are looked up in.
    fn look_up(&mut self) {
        let removed = self.removed.iter().map(|name| (name, Known::Removed));
        let set = (0..).zip(&self.set);
        let set = set.map(|(place, set)| (&set.name, Known::Set(place)));
        self.index = removed.chain(set).collect();
        let caching = self.set.iter().filter(|set| set.name == CACHE_CONTROL);
        let caching = caching.map(|set| (set.name.clone(), set.value.clone()));
        self.sets_shared = cache::is_shared(&caching.collect::<HeaderMap>());
    }

    pub(crate) fn set(
        &mut self,
        name: &str,
        text: &str,
        overriding: bool,
    ) -> Result<(), HeadersConfigError> {
        let error = |problem| HeadersConfigError::value(name, text, problem);
        let header = self.choose(name)?;
        if self.removed.contains(&header) {
            return Err(error("would tell which software answers"));
        }
        if let Some(problem) = values::problem(&header, text) {
            return Err(error(problem));
        }
        let value = HeaderValue::from_str(text).map_err(|_| error("is not a header value"))?;
        self.set.retain(|set| set.name != header);
        let targeted = cache::is_targeted(header.as_str());
        self.set.push(Set {
            name: header,
            value,
            overriding,
            targeted,
        });
        self.look_up();
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: &str) -> Result<(), HeadersConfigError> {
        let header = self.choose(name)?;
        if is_protective(&header) {
            let problem = "protects the caller and can't be removed from what inner services set";
            return Err(HeadersConfigError::name(name, problem));
        }
        if !self.removed.contains(&header) {
            self.removed.push(header);
        }
        self.look_up();
        Ok(())
    }

    pub(crate) fn leave(&mut self, name: &str) -> Result<(), HeadersConfigError> {
        let header = self.choose(name)?;
        let rules = |rules: &Self| {
            rules.set.len() + rules.removed.len() + usize::from(rules.hsts.is_some())
        };
        let before = rules(self);
        self.set.retain(|set| set.name != header);
        self.removed.retain(|removed| *removed != header);
        if header == STRICT_TRANSPORT_SECURITY {
            self.hsts = None;
        }
        if rules(self) == before {
            return Err(HeadersConfigError::name(
                name,
                "has no rule that could be dropped",
            ));
        }
        self.look_up();
        Ok(())
    }

    pub(crate) fn set_hsts(&mut self, hsts: &Hsts) -> Result<(), HeadersConfigError> {
        self.choose(STRICT_TRANSPORT_SECURITY.as_str())?;
        self.hsts = Some(hsts.header_value()?);
        Ok(())
    }

    /// The name of a header that may have a rule and has none of the user's yet.
    fn choose(&mut self, name: &str) -> Result<HeaderName, HeadersConfigError> {
        let error = |problem| HeadersConfigError::name(name, problem);
        let header: HeaderName = name.parse().map_err(|_| error("is not a header name"))?;
        if is_off_limits(&header) {
            return Err(error("belongs to the inner service or to another layer"));
        }
        if self.chosen.contains(&header) {
            return Err(error("has two rules, which contradict each other"));
        }
        self.chosen.push(header.clone());
        Ok(header)
    }
}

fn is_protective(header: &HeaderName) -> bool {
    let mut presets = MCP.iter().chain(&HTML).chain(&CLASSIC);
    *header == STRICT_TRANSPORT_SECURITY || presets.any(|(name, _)| name == header)
}

fn is_off_limits(header: &HeaderName) -> bool {
    let name = header.as_str();
    name.starts_with("access-control-") || name.starts_with("mcp-") || OFF_LIMITS.contains(&name)
}

/// Framing, credentials, meaning: what would break or mislead if a layer this far out touched it.
const OFF_LIMITS: [&str; 24] = [
    "allow",
    "authentication-info",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "dpop-nonce",
    "etag",
    "keep-alive",
    "location",
    "proxy-authenticate",
    "proxy-connection",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
    "x-accel-buffering",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::TWO_YEARS;

    fn mcp() -> Rules {
        Rules::new(&MCP, &TWO_YEARS)
    }

    #[test]
    fn two_rules_for_one_header_are_refused_whatever_their_order_and_case() {
        let kinds: [fn(&mut Rules, &str) -> Result<(), HeadersConfigError>; 4] = [
            |rules, name| rules.set(name, "a", false),
            |rules, name| rules.set(name, "a", true),
            Rules::remove,
            Rules::leave,
        ];
        for (first, one) in kinds.iter().enumerate() {
            for other in kinds {
                let mut rules = mcp();
                let name = if first == 3 { "cache-control" } else { "x-a" };
                one(&mut rules, name).unwrap();
                let error = other(&mut rules, &name.to_uppercase()).unwrap_err();
                assert!(error.to_string().contains("two rules"), "{error}");
            }
        }
    }

    #[test]
    fn headers_of_others_are_off_limits() {
        let prefixed = ["access-control-allow-origin", "mcp-session-id"];
        for name in OFF_LIMITS.into_iter().chain(prefixed) {
            assert!(mcp().set(name, "a", false).is_err(), "{name}");
            assert!(mcp().set(name, "a", true).is_err(), "{name}");
            assert!(mcp().remove(name).is_err(), "{name}");
            assert!(mcp().leave(name).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_no_name_or_no_value_is_named_in_the_error() {
        let error = mcp().set("x a", "b", false).unwrap_err();
        assert!(error.to_string().contains("`x a`"), "{error}");
        assert_eq!(error.header(), "x a");
        let error = mcp().set("x-a", "b\r\nc", false).unwrap_err();
        assert!(error.to_string().contains(r"`b\u{d}\u{a}c`"), "{error}");
    }

    #[test]
    fn protective_headers_and_fingerprints_keep_their_rules() {
        for name in [
            "content-security-policy",
            "strict-transport-security",
            "cache-control",
        ] {
            assert!(mcp().remove(name).is_err(), "{name}");
        }
        assert!(mcp().set("Server", "nginx", false).is_err());
        assert!(mcp().remove("server").is_ok());
    }

    #[test]
    fn leaving_drops_a_rule_and_refuses_to_drop_none() {
        let mut rules = mcp();
        for name in ["server", "x-frame-options", "strict-transport-security"] {
            rules.leave(name).unwrap();
        }
        assert_eq!(rules.hsts, None);
        assert_eq!(rules.removed.len(), FINGERPRINTS.len() - 1);
        assert_eq!(rules.set.len(), MCP.len() - 1);
        assert!(rules.leave("x-unknown").is_err());
        assert!(rules.set_hsts(&Hsts::new()).is_err());
    }
}
