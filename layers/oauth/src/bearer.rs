use bartizan_token::Fault;

/// The syntax of bearer tokens (RFC 6750 §2.1): nothing else is sent anywhere.
pub(crate) fn check_form(token: &str, max_bytes: usize) -> Result<(), Fault> {
    if token.len() > max_bytes {
        return Err("the token is too long");
    }
    is_bearer_token(token.as_bytes())
        .then_some(())
        .ok_or("not a bearer token")
}

pub(crate) fn is_bearer_token(token: &[u8]) -> bool {
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(b);
    let body = token.iter().take_while(|b| is_token(b)).count();
    body > 0 && token.iter().skip(body).all(|b| *b == b'=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_bearer_token_is_not_asked_about() {
        assert!(check_form("2YotnFZFEjr1zCsicMWpAA", 64).is_ok());
        assert!(check_form("a.b-c_d~e+f/g==", 64).is_ok());
        for token in [
            "",
            "=",
            "a=b",
            "a b",
            "a\"b",
            "a%20b",
            "é",
            "a&token=b",
            "a\tb",
        ] {
            assert_eq!(check_form(token, 64), Err("not a bearer token"), "{token}");
        }
        assert_eq!(
            check_form(&"a".repeat(65), 64),
            Err("the token is too long")
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_check_panic(text in "\\PC{0,80}") {
            let _ = check_form(&text, 64);
        }
    }
}
