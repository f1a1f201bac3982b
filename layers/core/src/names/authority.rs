use std::net::Ipv4Addr;

/// Schemes that everybody's parser knows, and the port that goes without saying.
const SPECIAL: [(&str, &str); 6] = [
    ("http", "80"),
    ("https", "443"),
    ("ws", "80"),
    ("wss", "443"),
    ("ftp", "21"),
    ("file", ""),
];

/// Whether everybody's parser normalises the URIs of this scheme.
pub(super) fn is_special(scheme: &str) -> bool {
    SPECIAL.iter().any(|(special, _)| *special == scheme)
}

/// Whether it can be read in one way only (TA-6).
pub(super) fn check(scheme: &str, authority: &str) -> Result<(), &'static str> {
    if authority.contains('@') {
        return Err("has user information");
    }
    // What stands between braces is the name of a template's variable.
    let plain = authority.split('{').enumerate().map(|(i, piece)| match i {
        0 => piece,
        _ => piece.split_once('}').map_or(piece, |(_, after)| after),
    });
    if plain.flat_map(str::bytes).any(|b| b.is_ascii_uppercase()) {
        return Err("has a host in capitals");
    }
    if authority.contains('%') {
        return Err("has an encoded host");
    }
    let host = match authority.rsplit_once(':') {
        // What stands before the last colon of an IPv6 address is no host.
        Some((host, port)) if !port.contains(']') => {
            let implied = SPECIAL.contains(&(scheme, port));
            let has_sign = port.contains(['+', '-', '_']);
            if implied || has_sign || port.is_empty() || port.starts_with('0') {
                return Err("has a port that can be written otherwise");
            }
            host
        }
        _ => authority,
    };
    if host.ends_with('.') {
        return Err("has a host that ends with a dot");
    }
    match scheme {
        // Many readers of files look at the path only.
        "file" if !authority.is_empty() => Err("names a host, which files do not have"),
        "file" => Ok(()),
        _ if is_special(scheme) => check_host(host),
        _ => Ok(()),
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("has an empty host, which is passed over");
    }
    // `127.1`, `0x7f.0.0.1` and `2130706433` are `127.0.0.1` to everybody's parser.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err("has an address that is written otherwise");
    }
    Ok(())
}
