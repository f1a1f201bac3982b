use http::{
    HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, SERVER, X_CONTENT_TYPE_OPTIONS,
        X_DNS_PREFETCH_CONTROL, X_FRAME_OPTIONS, X_XSS_PROTECTION,
    },
};

/// A header with its value, checked by the compiler.
pub(crate) type Preset = (HeaderName, HeaderValue);

/// For JSON and SSE answers (SH-1).
pub(crate) static MCP: [Preset; 8] = [
    value(X_CONTENT_TYPE_OPTIONS, "nosniff"),
    value(CACHE_CONTROL, "no-store"),
    value(
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    value(REFERRER_POLICY, "no-referrer"),
    value(X_FRAME_OPTIONS, "DENY"),
    value(CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    value(PERMISSIONS_POLICY, CLASSIC_PERMISSIONS),
    value(X_PERMITTED_CROSS_DOMAIN_POLICIES, "none"),
];

/// For pages that a person sees.
pub(crate) static HTML: [Preset; 13] = [
    value(X_CONTENT_TYPE_OPTIONS, "nosniff"),
    value(CACHE_CONTROL, "no-store"),
    value(
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; \
         form-action 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    // Under `no-referrer` a browser posts a page's own form with `Origin: null`, which OH-2 refuses.
    value(REFERRER_POLICY, "same-origin"),
    value(X_FRAME_OPTIONS, "DENY"),
    value(X_XSS_PROTECTION, "0"),
    value(X_DNS_PREFETCH_CONTROL, "off"),
    value(CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    value(CROSS_ORIGIN_EMBEDDER_POLICY, "require-corp"),
    value(CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    value(ORIGIN_AGENT_CLUSTER, "?1"),
    value(
        PERMISSIONS_POLICY,
        "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), clipboard-write=(), \
         cross-origin-isolated=(), display-capture=(), encrypted-media=(), fullscreen=(), \
         gamepad=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), keyboard-map=(), \
         magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), \
         publickey-credentials-get=(), screen-wake-lock=(), serial=(), sync-xhr=(), unload=(), \
         usb=(), web-share=(), xr-spatial-tracking=()",
    ),
    value(X_PERMITTED_CROSS_DOMAIN_POLICIES, "none"),
];

/// Six of the seven classic headers; the seventh is HSTS, with [`CLASSIC_HSTS`].
pub(crate) static CLASSIC: [Preset; 6] = [
    value(CONTENT_SECURITY_POLICY, "default-src 'self'"),
    value(X_CONTENT_TYPE_OPTIONS, "nosniff"),
    value(X_FRAME_OPTIONS, "DENY"),
    value(X_XSS_PROTECTION, "0"),
    value(REFERRER_POLICY, "no-referrer"),
    value(PERMISSIONS_POLICY, CLASSIC_PERMISSIONS),
];

pub(crate) static TWO_YEARS: HeaderValue =
    HeaderValue::from_static("max-age=63072000; includeSubDomains");
pub(crate) static CLASSIC_HSTS: HeaderValue =
    HeaderValue::from_static("max-age=31536000; includeSubDomains");

const CLASSIC_PERMISSIONS: &str = "geolocation=(), microphone=(), camera=()";

pub(crate) const CROSS_ORIGIN_EMBEDDER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-embedder-policy");
pub(crate) const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");
pub(crate) const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
pub(crate) const ORIGIN_AGENT_CLUSTER: HeaderName = HeaderName::from_static("origin-agent-cluster");
pub(crate) const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
pub(crate) const X_PERMITTED_CROSS_DOMAIN_POLICIES: HeaderName =
    HeaderName::from_static("x-permitted-cross-domain-policies");

/// What tells a stranger which software answers, and in which version (SH-4).
pub(crate) static FINGERPRINTS: [HeaderName; 23] = [
    SERVER,
    HeaderName::from_static("x-powered-by"),
    HeaderName::from_static("x-aspnet-version"),
    HeaderName::from_static("x-aspnetmvc-version"),
    HeaderName::from_static("x-runtime"),
    HeaderName::from_static("x-generator"),
    HeaderName::from_static("powered-by"),
    HeaderName::from_static("x-backend-server"),
    HeaderName::from_static("x-cms"),
    HeaderName::from_static("x-envoy-upstream-service-time"),
    HeaderName::from_static("x-framework"),
    HeaderName::from_static("x-kubernetes-pf-flowschema-uid"),
    HeaderName::from_static("x-kubernetes-pf-prioritylevel-uid"),
    HeaderName::from_static("x-php-version"),
    HeaderName::from_static("x-powered-by-plesk"),
    HeaderName::from_static("x-powered-cms"),
    HeaderName::from_static("x-redirect-by"),
    HeaderName::from_static("x-server"),
    HeaderName::from_static("x-server-powered-by"),
    HeaderName::from_static("x-sourcefiles"),
    HeaderName::from_static("x-turbo-charged-by"),
    HeaderName::from_static("x-varnish-backend"),
    HeaderName::from_static("x-varnish-server"),
];

const fn value(name: HeaderName, value: &'static str) -> Preset {
    (name, HeaderValue::from_static(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hsts, values};

    #[test]
    fn every_preset_passes_the_checks_that_users_values_pass() {
        for (name, value) in MCP.iter().chain(&HTML).chain(&CLASSIC) {
            let text = value.to_str().unwrap();
            assert_eq!(values::problem(name, text), None, "{name}: {text}");
        }
    }

    #[test]
    fn no_preset_is_given_twice() {
        for preset in [&MCP[..], &HTML, &CLASSIC] {
            for (index, (name, _)) in preset.iter().enumerate() {
                assert!(!preset[..index].iter().any(|(n, _)| n == name), "{name}");
            }
        }
    }

    #[test]
    fn the_static_hsts_is_the_built_one() {
        assert_eq!(TWO_YEARS, Hsts::new().header_value().unwrap());
    }

    #[test]
    fn seed_h1_xss_protection_is_never_switched_on() {
        let named = |preset: &[Preset]| preset.iter().find(|p| p.0 == X_XSS_PROTECTION).cloned();
        assert_eq!(named(&MCP), None);
        assert_eq!(named(&HTML).unwrap().1, "0");
        assert_eq!(named(&CLASSIC).unwrap().1, "0");
    }

    #[test]
    fn seed_h2_api_and_pages_close_what_default_src_leaves_open() {
        for preset in [&MCP[..], &HTML] {
            let csp = preset.iter().find(|p| p.0 == CONTENT_SECURITY_POLICY);
            let csp = csp.unwrap().1.to_str().unwrap();
            for directive in [
                "default-src 'none'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
            ] {
                assert!(csp.contains(directive), "{csp}");
            }
            assert!(csp.contains("form-action"), "{csp}");
        }
    }

    #[test]
    fn oh_2_a_page_posts_its_own_form_with_its_origin_and_not_null() {
        let policy = HTML.iter().find(|p| p.0 == REFERRER_POLICY).unwrap();
        assert_ne!(policy.1, "no-referrer");
    }
}
