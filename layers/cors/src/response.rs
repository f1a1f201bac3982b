use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, Entry, VARY,
    },
};

use crate::policy::{Policy, members};

const ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// What an inner answer is marked with once it is there. It holds no policy, which would be counted for each request.
#[derive(Debug)]
pub(crate) struct Mark {
    granted: Option<Granted>,
}

/// To an origin that is allowed.
#[derive(Debug)]
struct Granted {
    origin: HeaderValue,
    exposed: HeaderValue,
    credentials: bool,
}

impl Mark {
    pub(crate) fn of(policy: &Policy, origin: Option<HeaderValue>) -> Self {
        let granted = |origin| Granted {
            origin,
            exposed: policy.exposed.clone(),
            credentials: policy.credentials,
        };
        Self {
            granted: origin.map(granted),
        }
    }

    /// Marks an inner answer, whatever its status (OH-5, OH-7, OH-8): CORS headers from here and
    /// from nowhere else, none at all without an origin.
    pub(crate) fn put(self, headers: &mut HeaderMap) {
        remove_cors(headers);
        // An answer with some 30 000 headers takes no more; browsers then can't read it.
        if headers.try_reserve(4).is_err() {
            return;
        }
        vary_by_origin(headers);
        let Some(granted) = self.granted else {
            return;
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, granted.origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, granted.exposed);
        if granted.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
    }
}

/// Caches must keep answers to different origins apart, refusals and origin-less ones included.
pub(crate) fn vary_by_origin(headers: &mut HeaderMap) {
    let covers = |member: &[u8]| member == b"*" || member.eq_ignore_ascii_case(b"origin");
    match headers.entry(VARY) {
        Entry::Vacant(vary) => _ = vary.insert(ORIGIN),
        Entry::Occupied(mut vary) => {
            if !vary.iter().flat_map(members).any(covers) {
                vary.append(ORIGIN);
            }
        }
    }
}

fn remove_cors(headers: &mut HeaderMap) {
    let is_cors = |name: &&HeaderName| name.as_str().starts_with("access-control-");
    if headers.keys().any(|name| is_cors(&name)) {
        let names: Vec<_> = headers.keys().filter(is_cors).cloned().collect();
        for name in names {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Policy {
        fn mark(&self, headers: &mut HeaderMap, origin: Option<HeaderValue>) {
            Mark::of(self, origin).put(headers);
        }
    }

    fn vary(before: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in before {
            headers.append(VARY, HeaderValue::from_str(line).unwrap());
        }
        vary_by_origin(&mut headers);
        let lines = headers.get_all(VARY).iter();
        lines.map(|v| v.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn oh_5_vary_gains_origin_once() {
        assert_eq!(vary(&[]), ["Origin"]);
        assert_eq!(vary(&["Accept"]), ["Accept", "Origin"]);
        assert_eq!(
            vary(&["X-Origin, Originator"]),
            ["X-Origin, Originator", "Origin"]
        );
        for enough in ["*", "origin", "Accept, ORIGIN", "Accept,*"] {
            assert_eq!(vary(&[enough]), [enough]);
        }
        assert_eq!(vary(&["Accept", "Origin"]), ["Accept", "Origin"]);
    }

    #[test]
    fn inner_cors_headers_go_and_repeated_ones_too() {
        let mut headers = HeaderMap::new();
        for name in [
            "access-control-allow-origin",
            "access-control-allow-origin",
            "access-control-allow-credentials",
            "access-control-allow-private-network",
            "access-control-allow-something-new",
            "content-type",
        ] {
            headers.append(name, HeaderValue::from_static("x"));
        }
        Policy::default().mark(&mut headers, None);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-type", "vary"]);
    }

    #[test]
    fn an_answer_full_of_headers_does_not_panic() {
        let mut headers = HeaderMap::new();
        let mut index = 0;
        while headers
            .try_append(
                HeaderName::try_from(format!("x-{index}")).unwrap(),
                HeaderValue::from_static(""),
            )
            .is_ok()
        {
            index += 1;
        }
        Policy::default().mark(&mut headers, Some(HeaderValue::from_static("https://a.b")));
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
    }
}
