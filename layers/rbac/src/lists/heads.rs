use http::{HeaderMap, HeaderName, HeaderValue, header::CACHE_CONTROL};

/// Says that the body is one principal's, and takes off what tells caches otherwise.
pub(super) fn keep_private(headers: &mut HeaderMap) {
    let mut said = headers.get_all(CACHE_CONTROL).iter();
    let stays_as_is = said.any(|said| {
        let mut parts = said.as_bytes().split(|byte| matches!(byte, b',' | b' '));
        parts.any(|part| part.eq_ignore_ascii_case(b"no-transform"))
    });
    let value = match stays_as_is {
        true => "private, no-store, no-transform",
        false => "private, no-store",
    };
    for other in [
        "edge-control",
        "expires",
        "surrogate-control",
        "x-accel-expires",
    ] {
        headers.remove(other);
    }
    let is_targeted = |name: &&HeaderName| name.as_str().ends_with("-cache-control");
    let targeted: Vec<_> = headers.keys().filter(is_targeted).cloned().collect();
    for name in targeted {
        headers.remove(name);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_14_no_cache_is_told_that_a_list_is_everybodys() {
        for (said, says) in [
            (None, "private, no-store"),
            (Some("public, max-age=600"), "private, no-store"),
            (
                Some("no-cache,No-Transform"),
                "private, no-store, no-transform",
            ),
        ] {
            let mut headers = HeaderMap::new();
            for other in [
                "cdn-cache-control",
                "edge-control",
                "expires",
                "surrogate-control",
                "vercel-cdn-cache-control",
                "x-accel-expires",
            ] {
                headers.insert(other, HeaderValue::from_static("max-age=600"));
            }
            if let Some(said) = said {
                headers.append(CACHE_CONTROL, HeaderValue::from_static("public"));
                headers.append(CACHE_CONTROL, HeaderValue::from_static(said));
            }
            keep_private(&mut headers);
            assert_eq!(headers.len(), 1, "{headers:?}");
            assert_eq!(headers[CACHE_CONTROL], says);
        }
    }
}
