use http::{HeaderMap, HeaderValue, header::CACHE_CONTROL};

/// Whether a field speaks to a shared cache over the head of `Cache-Control`: those that RFC 9213
/// provides for end alike, their elders do not.
#[inline]
pub(crate) fn is_targeted(name: &str) -> bool {
    // The last letter tells most names apart.
    match name.as_bytes().last() {
        Some(b'l') => {
            name.ends_with("-cache-control") || matches!(name, "edge-control" | "surrogate-control")
        }
        Some(b's') => name == "x-accel-expires",
        _ => false,
    }
}

/// Whether a shared cache may keep the answer to an authorized request (RFC 9111 §3.5, SH-2).
///
/// Doubt counts as yes: `public` and `s-maxage` are found wherever the words stand.
pub(crate) fn is_shared(headers: &HeaderMap) -> bool {
    says(headers, &["public", "s-maxage"])
        || says(headers, &["must-revalidate"]) && !promises(headers, &["no-store", "private"])
}

/// Whether no cache at all may keep the answer. Doubt counts as no.
pub(crate) fn is_unstored(headers: &HeaderMap) -> bool {
    promises(headers, &["no-store"])
}

fn says(headers: &HeaderMap, words: &[&str]) -> bool {
    let apart = |b: &u8| !b.is_ascii_alphanumeric() && *b != b'-' && *b != b'_';
    let mut values = headers.get_all(CACHE_CONTROL).iter();
    values.any(|v| v.as_bytes().split(apart).any(|word| is_one_of(word, words)))
}

fn promises(headers: &HeaderMap, directives: &[&str]) -> bool {
    let clear = |v: &&HeaderValue| !v.as_bytes().contains(&b'"');
    let mut values = headers.get_all(CACHE_CONTROL).iter().filter(clear);
    values.any(|v| {
        let mut parts = v.as_bytes().split(|b| *b == b',');
        parts.any(|part| is_one_of(part.trim_ascii(), directives))
    })
}

fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words
        .iter()
        .any(|w| w.as_bytes().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(values: &[&str]) -> HeaderMap {
        let line = |v: &&str| {
            (
                CACHE_CONTROL,
                HeaderValue::from_bytes(v.as_bytes()).unwrap(),
            )
        };
        values.iter().map(line).collect()
    }

    #[test]
    fn sh_2_what_opens_an_authorized_answer_to_shared_caches_is_found() {
        for open in [
            &["public"][..],
            &["PUBLIC, max-age=60"],
            &["max-age=60,s-maxage=9"],
            &["S-MaxAge = 9"],
            &["private", "public"],
            &["no-store, public"],
            &["public; max-age=60"],
            &["x=\"a, public"],
            &["must-revalidate, max-age=60"],
            &["must-revalidate, x=\"a, private\""],
            &["must-revalidate, private=\"set-cookie\""],
            &["\u{e9} public"],
        ] {
            assert!(is_shared(&lines(open)), "{open:?}");
        }
        for closed in [
            &[][..],
            &[""],
            &["no-store"],
            &["no-cache"],
            &["private, max-age=60"],
            &["no-cache, no-store, must-revalidate"],
            &["must-revalidate", "Private"],
            &["publicity, x-public, not-s-maxage"],
        ] {
            assert!(!is_shared(&lines(closed)), "{closed:?}");
        }
    }

    #[test]
    fn sh_3_only_a_plain_no_store_counts() {
        assert!(is_unstored(&lines(&["no-cache", "max-age=0, No-Store"])));
        for stored in [
            "",
            "no-cache",
            "x-no-store",
            "x=\"a, no-store\"",
            "x no-store",
        ] {
            assert!(!is_unstored(&lines(&[stored])), "{stored}");
        }
    }

    proptest! {
        #[test]
        fn sh_2_public_is_found_among_any_directives(
            before in "[a-z0-9=\", -]{0,20}",
            after in "[a-z0-9=\", -]{0,20}",
            open in "[Pp]ublic|s-maxage=[0-9]{1,4}",
        ) {
            let value = format!("{before},{open},{after}");
            prop_assert!(is_shared(&lines(&[&value])));
        }

        #[test]
        fn any_bytes_are_judged_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let headers: HeaderMap = [(CACHE_CONTROL, value)].into_iter().collect();
                let _ = (is_shared(&headers), is_unstored(&headers));
            }
        }
    }
}
