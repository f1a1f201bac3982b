/// Whether it is a host in lower case, perhaps with `*.` before it.
pub(super) const fn is_pattern(pattern: &str) -> bool {
    let name = match pattern.as_bytes() {
        [b'*', b'.', rest @ ..] => rest,
        name => name,
    };
    let mut rest = name;
    let mut before = b'.';
    while let [byte, others @ ..] = rest {
        let is_dot = *byte == b'.';
        let is_letter = byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        if !is_letter && !is_dot || is_dot && before == b'.' {
            return false;
        }
        before = *byte;
        rest = others;
    }
    before != b'.'
}

/// Whether a host, in lower case, is one that a pattern stands for.
pub(super) fn is_listed(host: &str, patterns: &[&str]) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_prefix('*') {
            Some(domain) => host.len() > domain.len() && host.ends_with(domain),
            None => host == *pattern,
        })
}

/// Why a name, in lower case, is not one of the Internet.
pub(super) fn rule_broken_by_name(name: &str) -> Option<&'static str> {
    if name.ends_with('.') {
        return Some("has a dot at the end of its host");
    }
    if name.len() > 253
        || name
            .split('.')
            .any(|label| label.is_empty() || label.len() > 63)
    {
        return Some("has a host that is no name");
    }
    let Some((_, last)) = name.rsplit_once('.') else {
        return Some("has a host without a domain");
    };
    let is_private = PRIVATE.contains(&last) || name.ends_with(".home.arpa");
    is_private.then_some("has a host of a private network")
}

/// Domains that no public resolver knows (RFC 6761, RFC 6762, RFC 9476), or that networks use for themselves.
const PRIVATE: &[&str] = &[
    "alt",
    "consul",
    "corp",
    "docker",
    "domain",
    "home",
    "internal",
    "intranet",
    "invalid",
    "kubernetes",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "localnet",
    "mail",
    "onion",
    "private",
    "router",
    "svc",
    "test",
    "workgroup",
];
