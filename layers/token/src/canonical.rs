use std::borrow::Cow;

use bartizan_fetch::WebUrl;

/// The form in which resource identifiers are compared: scheme and host in lower case, no default
/// port, one trailing slash dropped, everything else as it stands (TV-3).
///
/// What is no plain web URL is compared as it is.
pub fn canonical(identifier: &str) -> Cow<'_, str> {
    let Some(url) = WebUrl::parse(identifier) else {
        return Cow::Borrowed(identifier);
    };
    let mut canonical = url.origin();
    match url.query {
        Some(query) => {
            canonical.push_str(url.path);
            canonical.push('?');
            canonical.push_str(query);
        }
        None => canonical.push_str(url.path.strip_suffix('/').unwrap_or(url.path)),
    }
    Cow::Owned(canonical)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tv_3_scheme_host_default_port_and_one_slash_do_not_matter() {
        let ours = canonical("https://mcp.example.com/mcp");
        for same in [
            "HTTPS://MCP.Example.com/mcp",
            "https://mcp.example.com:443/mcp",
            "https://mcp.example.com/mcp/",
        ] {
            assert_eq!(canonical(same), ours, "{same}");
        }
        for other in [
            "https://mcp.example.com/MCP",
            "https://mcp.example.com/mcp//",
            "https://mcp.example.com/mcpx",
            "https://mcp.example.com/",
            "https://mcp.example.com/x/../mcp",
            "https://mcp.example.com/%6dcp",
            "https://mcp.example.com/mcp?",
            "https://mcp.example.com/mcp#f",
            "https://u@mcp.example.com/mcp",
            "https://mcp.example.com:8443/mcp",
            "http://mcp.example.com/mcp",
            "https://mcp.example.com./mcp",
            " https://mcp.example.com/mcp",
        ] {
            assert_ne!(canonical(other), ours, "{other}");
        }
    }

    proptest! {
        #[test]
        fn dropping_a_slash_is_the_only_thing_that_happens_to_a_path(path in "(/[a-zA-Z0-9._~%-]{0,6}){0,4}") {
            let url = format!("https://h.example{path}");
            let dropped = path.strip_suffix('/').unwrap_or(&path);
            prop_assert_eq!(canonical(&url), format!("https://h.example{dropped}"));
        }

        #[test]
        fn any_text_is_parsed_without_panic(text in "\\PC{0,60}") {
            let _ = canonical(&text);
        }

        #[test]
        fn equal_forms_have_equal_origins(a in "https?://[a-cA-C]{1,3}(:(80|443|8080))?/?", b in "https?://[a-cA-C]{1,3}(:(80|443|8080))?/?") {
            if canonical(&a) == canonical(&b) {
                let origin = |u| WebUrl::parse(u).map(|u| u.origin());
                prop_assert_eq!(origin(&a), origin(&b));
            }
        }
    }
}
