use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};

const PREFIX: &str = "=?base64?";
const SUFFIX: &str = "?=";

/// Decodes the value of a mirrored header (N-6).
///
/// `=?base64?…?=`, in exactly that case, is standard Base64 with padding of UTF-8 text; anything
/// else is literal. `None` if the envelope holds something else.
pub(super) fn decode(value: &str) -> Option<Cow<'_, str>> {
    let enveloped = value
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(SUFFIX));
    let Some(encoded) = enveloped else {
        return Some(Cow::Borrowed(value));
    };
    let bytes = STANDARD.decode(encoded).ok()?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn n_6_the_exact_envelope_is_decoded() {
        assert_eq!(decode("=?base64?SGVsbG8=?=").unwrap(), "Hello");
        assert_eq!(decode("=?base64??=").unwrap(), "");
        assert_eq!(decode("=?base64?w6k=?=").unwrap(), "é");
    }

    #[test]
    fn n_6_bad_padding_alphabet_trailing_bits_and_utf8_are_refused() {
        for bad in [
            "SGVsbG8",
            "SGVs!!!bG8=",
            "SGVsbG9=",
            "_-8=",
            "/w==",
            "SGVsbG8==",
        ] {
            assert_eq!(decode(&format!("=?base64?{bad}?=")), None, "{bad}");
        }
    }

    #[test]
    fn n_6_half_or_upper_case_envelopes_are_literal() {
        for literal in [
            "=?BASE64?SGVsbG8=?=",
            "=?base64?SGVsbG8=",
            "SGVsbG8=?=",
            "=?base64?=",
        ] {
            assert_eq!(decode(literal).unwrap(), literal);
        }
    }
}
