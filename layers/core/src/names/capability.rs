//! Names of capabilities, and what grants them.
//!
//! A capability is words of visible ASCII with colons between them, `notes:read`, of at most 128 bytes. A grant is
//! one of these names, `notes:*` for all that begin with `notes:`, or `*` for all.
//!
//! ```
//! use bartizan_core::names::capability;
//! assert!(capability::grants("notes:*", "notes:read"));
//! assert!(!capability::grants("notes:*", "notesx:read"));
//! assert!(capability::is_grant("notes:*") && !capability::is_name("notes:*"));
//! assert!(!capability::is_grant("no*:read"));
//! ```

/// Longest name, in bytes.
const LONGEST: usize = 128;

/// Whether a text names one capability.
pub fn is_name(name: &str) -> bool {
    let legal =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && b != b'*');
    name.len() <= LONGEST && name.split(':').all(legal)
}

/// Whether a text grants anything: a name, or a wildcard.
pub fn is_grant(grant: &str) -> bool {
    family(grant).is_some() || is_name(grant)
}

/// What a wildcard stands for: `Some("")` for `*`, `Some("notes:")` for `notes:*`; `None` if it is none.
pub fn family(grant: &str) -> Option<&str> {
    let family = grant.strip_suffix('*')?;
    let whole = family.is_empty() || family.ends_with(':') && is_name(family.strip_suffix(':')?);
    whole.then_some(family)
}

/// Whether a grant grants the capability of this name.
pub fn grants(grant: &str, name: &str) -> bool {
    match family(grant) {
        Some(family) => name.starts_with(family),
        None => grant == name,
    }
}
