use bartizan_core::ClientCertificate;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};

static FIELD: HeaderName = HeaderName::from_static("client-cert");
static CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// The longest certificate that is read.
const MAX_DER_BYTES: usize = 16 * 1024;

/// The certificate of the field `Client-Cert` (RFC 9440 §2.2), which is a byte sequence of structured
/// fields: base64 between two colons.
pub(crate) fn read(headers: &HeaderMap) -> Option<Result<ClientCertificate, &'static str>> {
    let mut lines = headers.get_all(&FIELD).iter();
    let first = lines.next()?;
    if lines.next().is_some() {
        return Some(Err("a proxy's client certificate is repeated"));
    }
    let text = first.to_str().unwrap_or_default().trim_matches(' ');
    let encoded = text.strip_prefix(':').and_then(|t| t.strip_suffix(':'));
    let der = encoded
        .filter(|encoded| encoded.len() <= MAX_DER_BYTES / 3 * 4 + 4)
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .filter(|der| !der.is_empty());
    Some(match der {
        Some(der) => Ok(ClientCertificate::from_der(der)),
        None => Err("a proxy's client certificate is no byte sequence"),
    })
}

pub(crate) fn remove(headers: &mut HeaderMap) {
    headers.remove(&FIELD);
    headers.remove(&CHAIN);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &[&[u8]]) -> Option<Result<Vec<u8>, &'static str>> {
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = http::HeaderValue::from_bytes(line).unwrap();
            headers.append("client-cert", value);
        }
        read(&headers).map(|read| read.map(|certificate| certificate.der().to_vec()))
    }

    #[test]
    fn rfc_9440_one_byte_sequence_is_a_certificate_and_anything_else_is_none() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[b":MAA=:"]), Some(Ok(vec![0x30, 0])));
        assert_eq!(of(&[b" :MAA=: "]), Some(Ok(vec![0x30, 0])));
        let long = format!(":{}:", "A".repeat(24_000));
        for bad in [
            &b""[..],
            b":",
            b"::",
            b"MAA=",
            b":MAA:",
            b":MAA=",
            b":MA=:",
            b":MAA=:;x=1",
            b":MAA=:, :MAA=:",
            b":M A=:",
            b":-_-_:",
            b"\"MAA=\"",
            b"-----BEGIN CERTIFICATE-----",
            b"\xff",
            long.as_bytes(),
        ] {
            let text = String::from_utf8_lossy(bad);
            assert!(matches!(of(&[bad]), Some(Err(_))), "{text}");
        }
        assert!(matches!(of(&[b":MAA=:", b":MAA=:"]), Some(Err(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in "[ -~\t]{0,60}") {
            let _ = of(&[bytes.as_bytes()]);
        }
    }
}
