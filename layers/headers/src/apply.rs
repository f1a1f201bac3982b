use bartizan_core::Media;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE, STRICT_TRANSPORT_SECURITY},
};

use crate::{cache, index::Known, rules::Rules};

/// What is known about the request when its answer leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) over_tls: bool,
    pub(crate) authorized: bool,
}

/// The answer holds more headers than a map can.
#[derive(Debug)]
pub(crate) struct TooMany;

impl Rules {
    /// Brings an answer's headers into order.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, asked: Asked) -> Result<(), TooMany> {
        let inner = Survey::of(headers, self);
        if inner.fingerprint {
            remove_all(headers, |name| {
                self.index.find(name, name.as_str()) == Some(Known::Removed)
            });
        }
        let unshared = asked.authorized || inner.nonce;
        let targeted = inner.targeted && unshared;
        if targeted {
            remove_all(headers, |name| cache::is_targeted(name.as_str()));
        }
        let hsts = self.hsts.as_ref().filter(|_| asked.over_tls);
        let streams = inner.may_stream && Media::of(headers) == Media::EventStream;
        let room = self.set.len() + usize::from(hsts.is_some()) + usize::from(streams);
        headers.try_reserve(room).map_err(|_| TooMany)?;
        for (index, rule) in self.set.iter().enumerate() {
            let stays = !rule.overriding && inner.has(index, &rule.name, headers);
            if stays || rule.targeted && unshared {
                continue;
            }
            put(headers, &rule.name, &rule.value)?;
        }
        // No rule of `set` is for it.
        if let Some(hsts) = hsts.filter(|_| !inner.transport) {
            put(headers, &STRICT_TRANSPORT_SECURITY, hsts)?;
        }
        if streams && !headers.contains_key(&X_ACCEL_BUFFERING) {
            put(headers, &X_ACCEL_BUFFERING, &NO)?;
        }
        let is_shared = || {
            if inner.caching {
                cache::is_shared(headers)
            } else {
                self.sets_shared
            }
        };
        let shared = asked.authorized && (targeted || is_shared());
        if shared || inner.nonce && !cache::is_unstored(headers) {
            put(headers, &CACHE_CONTROL, &NO_STORE)?;
        }
        Ok(())
    }
}

/// What one walk over the inner answer found.
#[derive(Debug, Default)]
struct Survey {
    fingerprint: bool,
    targeted: bool,
    nonce: bool,
    caching: bool,
    transport: bool,
    /// Whether there is a media type that has to be looked at.
    may_stream: bool,
    /// A bit for each of the first rules whose header is there.
    present: u64,
}

impl Survey {
    fn of(headers: &HeaderMap, rules: &Rules) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            let text = name.as_str();
            found.targeted |= cache::is_targeted(text);
            found.caching |= *name == CACHE_CONTROL;
            found.transport |= *name == STRICT_TRANSPORT_SECURITY;
            // What most answers say is not looked at any more.
            found.may_stream |= *name == CONTENT_TYPE && value != "application/json";
            match rules.index.find(name, text) {
                None => {}
                Some(Known::Removed) => found.fingerprint = true,
                Some(Known::Nonce) => found.nonce = true,
                Some(Known::Set(place)) => {
                    found.present |= 1_u64.checked_shl(place).unwrap_or_default();
                }
            }
        }
        found
    }

    /// Whether the inner answer has the header of a rule.
    fn has(&self, index: usize, name: &HeaderName, headers: &HeaderMap) -> bool {
        match u32::try_from(index) {
            Ok(index @ 0..64) => self.present >> index & 1 == 1,
            _ => headers.contains_key(name),
        }
    }
}

fn remove_all(headers: &mut HeaderMap, goes: impl Fn(&HeaderName) -> bool) {
    let names: Vec<_> = headers.keys().filter(|name| goes(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn put(headers: &mut HeaderMap, name: &HeaderName, value: &HeaderValue) -> Result<(), TooMany> {
    let before = headers.try_insert(name.clone(), value.clone());
    before.map(drop).map_err(|_| TooMany)
}

static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
static NO: HeaderValue = HeaderValue::from_static("no");
static NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{CLASSIC, CLASSIC_HSTS, FINGERPRINTS, HTML, MCP, TWO_YEARS};

    /// Fields for the shared cache alone, of those that are in use.
    const TARGETED: [&str; 9] = [
        "akamai-cache-control",
        "cdn-cache-control",
        "cloudflare-cdn-cache-control",
        "edge-control",
        "netlify-cdn-cache-control",
        "surrogate-control",
        "vercel-cdn-cache-control",
        "x-accel-expires",
        "x-litespeed-cache-control",
    ];
    const PLAIN: Asked = Asked {
        over_tls: false,
        authorized: false,
    };
    const AUTHORIZED: Asked = Asked {
        over_tls: false,
        authorized: true,
    };

    fn inner(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(n, v): &(&'static str, &'static str)| {
            (HeaderName::from_static(n), HeaderValue::from_static(v))
        };
        lines.iter().map(line).collect()
    }

    fn left(rules: &Rules, lines: &[(&'static str, &'static str)], asked: Asked) -> HeaderMap {
        let mut headers = inner(lines);
        rules.apply(&mut headers, asked).unwrap();
        headers
    }

    fn mcp() -> Rules {
        Rules::new(&MCP, &TWO_YEARS)
    }

    fn all() -> [Rules; 3] {
        [
            mcp(),
            Rules::new(&HTML, &TWO_YEARS),
            Rules::new(&CLASSIC, &CLASSIC_HSTS),
        ]
    }

    #[test]
    fn sh_1_an_empty_answer_gets_every_preset_and_nothing_else() {
        let headers = left(&mcp(), &[], PLAIN);
        assert_eq!(headers.len(), MCP.len());
        for (name, value) in &MCP {
            assert_eq!(headers[name], value);
        }
    }

    #[test]
    fn seed_h4_a_stricter_inner_value_stays_with_all_its_lines() {
        let lines = [
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("content-security-policy", "img-src 'none'"),
        ];
        let headers = left(&mcp(), &lines, PLAIN);
        assert_eq!(headers.get_all("content-security-policy").iter().count(), 2);
        assert_eq!(
            headers["content-security-policy"],
            "default-src 'none'; sandbox"
        );
    }

    #[test]
    fn an_overriding_rule_replaces_every_inner_line() {
        let mut rules = mcp();
        rules.set("X-Frame-Options", "SAMEORIGIN", true).unwrap();
        let lines = [
            ("x-frame-options", "ALLOW-FROM a"),
            ("x-frame-options", "b"),
        ];
        let headers = left(&rules, &lines, PLAIN);
        let values: Vec<_> = headers.get_all("x-frame-options").iter().collect();
        assert_eq!(values, ["SAMEORIGIN"]);
    }

    #[test]
    fn seed_h5_hsts_is_sent_over_tls_only() {
        let tls = Asked {
            over_tls: true,
            ..PLAIN
        };
        for rules in all() {
            let hsts = rules.hsts.clone().unwrap();
            assert_eq!(left(&rules, &[], tls)["strict-transport-security"], hsts);
            assert!(!left(&rules, &[], PLAIN).contains_key("strict-transport-security"));
        }
    }

    #[test]
    fn hsts_of_the_inner_service_stays_with_all_its_lines() {
        let tls = Asked {
            over_tls: true,
            ..PLAIN
        };
        let lines = [
            ("strict-transport-security", "max-age=1"),
            ("strict-transport-security", "max-age=2"),
        ];
        let headers = left(&mcp(), &lines, tls);
        let values: Vec<_> = headers
            .get_all("strict-transport-security")
            .iter()
            .collect();
        assert_eq!(values, ["max-age=1", "max-age=2"]);
        let error = mcp().set("Strict-Transport-Security", "max-age=3", true);
        assert!(error.is_err(), "only `hsts` makes it");
    }

    #[test]
    fn sh_4_seed_h5_fingerprints_are_removed() {
        for rules in all() {
            for name in &FINGERPRINTS {
                let mut headers = inner(&[("content-type", "text/plain")]);
                headers.append(name, NO.clone());
                headers.append(name, NO.clone());
                rules.apply(&mut headers, PLAIN).unwrap();
                assert!(!headers.contains_key(name), "{name}");
                assert!(headers.contains_key("content-type"));
            }
        }
    }

    #[test]
    fn ph_4_seed_h6_event_streams_keep_their_own_headers() {
        let sse = ("content-type", "Text/Event-Stream; charset=utf-8");
        let headers = left(&mcp(), &[sse, ("cache-control", "no-cache")], PLAIN);
        assert_eq!(headers["cache-control"], "no-cache");
        assert_eq!(headers["x-accel-buffering"], "no");
        let headers = left(&mcp(), &[sse, ("x-accel-buffering", "yes")], PLAIN);
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-accel-buffering"], "yes");
        for (media_type, streams) in [
            ("text/event-stream", true),
            (" TEXT/EVENT-STREAM ; charset=utf-8", true),
            ("text/event-streams", false),
            ("text/event-stream x", false),
            ("text/event-strea;", false),
            ("", false),
        ] {
            let headers = left(&mcp(), &[("content-type", media_type)], PLAIN);
            assert_eq!(
                headers.contains_key("x-accel-buffering"),
                streams,
                "{media_type}"
            );
        }
        let json = [("content-type", "application/json")];
        assert!(!left(&mcp(), &json, PLAIN).contains_key("x-accel-buffering"));
    }

    #[test]
    fn sh_2_a_public_answer_to_an_authorized_request_becomes_no_store() {
        for rules in all() {
            let lines = [
                ("cache-control", "private"),
                ("cache-control", "public, s-maxage=9"),
            ];
            let headers = left(&rules, &lines, AUTHORIZED);
            let values: Vec<_> = headers.get_all("cache-control").iter().collect();
            assert_eq!(values, ["no-store"]);
        }
    }

    #[test]
    fn sh_2_no_rule_of_the_user_can_make_it_public_again() {
        let mut rules = mcp();
        rules.set("cache-control", "public", true).unwrap();
        assert_eq!(left(&rules, &[], PLAIN)["cache-control"], "public");
        assert_eq!(left(&rules, &[], AUTHORIZED)["cache-control"], "no-store");
    }

    #[test]
    fn sh_2_fields_for_the_shared_cache_alone_go_too() {
        for name in TARGETED {
            let lines = [(name, "max-age=60"), ("cache-control", "max-age=60")];
            let headers = left(&mcp(), &lines, AUTHORIZED);
            assert!(!headers.contains_key(name), "{name}");
            assert_eq!(headers["cache-control"], "no-store");
            assert!(left(&mcp(), &lines, PLAIN).contains_key(name), "{name}");
        }
    }

    #[test]
    fn sh_2_sh_3_no_rule_of_the_user_speaks_to_shared_caches_over_the_head_of_no_store() {
        let nonce = [("dpop-nonce", "n")];
        for name in TARGETED {
            for overriding in [false, true] {
                let mut rules = mcp();
                rules.set(name, "max-age=60", overriding).unwrap();
                assert!(left(&rules, &[], PLAIN).contains_key(name), "{name}");
                for (lines, asked) in [(&[][..], AUTHORIZED), (&nonce, PLAIN)] {
                    let headers = left(&rules, lines, asked);
                    assert!(!headers.contains_key(name), "{name}");
                    assert_eq!(headers["cache-control"], "no-store");
                }
            }
        }
    }

    #[test]
    fn sh_1_public_metadata_keeps_its_cache_headers() {
        let lines = [("cache-control", "public, max-age=3600")];
        let headers = left(&mcp(), &lines, PLAIN);
        assert_eq!(headers["cache-control"], "public, max-age=3600");
    }

    #[test]
    fn sh_2_private_caching_of_an_authorized_answer_stays() {
        let lines = [("cache-control", "private, max-age=60")];
        let headers = left(&mcp(), &lines, AUTHORIZED);
        assert_eq!(headers["cache-control"], "private, max-age=60");
    }

    #[test]
    fn sh_3_an_answer_with_a_nonce_is_not_stored() {
        for rules in all() {
            for lines in [
                &[("dpop-nonce", "n")][..],
                &[
                    ("dpop-nonce", "n"),
                    ("cache-control", "private, max-age=60"),
                ],
                &[("dpop-nonce", "n"), ("cache-control", "public")],
                &[("dpop-nonce", "n"), ("cdn-cache-control", "max-age=60")],
            ] {
                let headers = left(&rules, lines, PLAIN);
                assert_eq!(headers["cache-control"], "no-store");
                assert!(!headers.contains_key("cdn-cache-control"));
            }
        }
    }

    #[test]
    fn a_full_map_is_reported_and_not_a_panic() {
        let mut headers = HeaderMap::new();
        while headers.try_reserve(4).is_ok() {
            let name = format!("x-{}", headers.len());
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            if headers.try_insert(name, NO.clone()).is_err() {
                break;
            }
        }
        assert!(mcp().apply(&mut headers, PLAIN).is_err());
    }
}
