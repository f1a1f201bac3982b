use bartizan_core::{Challenge, ChallengeError};
use http::HeaderValue;

/// For a token that lacks scopes: all that the operation needs, the same each time (SC-2, SC-3).
pub(crate) fn to_step_up(offered: &[HeaderValue], scopes: &[&str]) -> Vec<HeaderValue> {
    // Scopes were checked when the policy was built.
    let line = bearer(offered, Some("insufficient_scope"), scopes);
    line.into_iter().collect()
}

/// For nobody in particular: what the authentication layer offers, the Bearer line first and with
/// the scopes that the operation needs (AC-3, AC-12).
pub(crate) fn to_identify(offered: &[HeaderValue], scopes: &[&str]) -> Vec<HeaderValue> {
    let Some(place) = offered.iter().position(is_bearer) else {
        return offered.to_vec();
    };
    let mut lines = offered.to_vec();
    if let Some(lines) = lines.get_mut(..=place) {
        lines.rotate_right(1);
    }
    // Without scopes to name, the line stays as it was offered.
    if let (Some(first), Ok(line)) = (lines.first_mut(), bearer(offered, None, scopes)) {
        *first = line;
    }
    lines
}

fn bearer(
    offered: &[HeaderValue],
    error: Option<&'static str>,
    scopes: &[&str],
) -> Result<HeaderValue, ChallengeError> {
    Challenge::for_scope(offered, error, &scopes.join(" "))?.header_value()
}

fn is_bearer(line: &HeaderValue) -> bool {
    let scheme = line.as_bytes().split(|b| *b == b' ').next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&'static str]) -> Vec<HeaderValue> {
        let lines = texts.iter().map(|text| HeaderValue::from_static(text));
        lines.collect()
    }

    #[test]
    fn ac_12_the_bearer_line_comes_first_and_the_others_stay() {
        let offered = lines(&["ApiKey realm=\"k\"", "Bearer realm=\"r\", scope=\"x\""]);
        assert_eq!(
            to_identify(&offered, &["a", "b"]),
            lines(&["Bearer scope=\"a b\", realm=\"r\"", "ApiKey realm=\"k\""])
        );
        let reversed: Vec<_> = offered.iter().rev().cloned().collect();
        assert_eq!(to_identify(&offered, &[]), reversed);
        let other = lines(&["ApiKey realm=\"k\""]);
        assert_eq!(to_identify(&other, &["a"]), other);
    }

    #[test]
    fn sc_1_a_step_up_names_scopes_and_metadata_in_one_line() {
        let offered = lines(&[
            "Bearer resource_metadata=\"https://h/m\"",
            "ApiKey realm=\"k\"",
        ]);
        assert_eq!(
            to_step_up(&offered, &["a", "b"]),
            lines(&[
                "Bearer error=\"insufficient_scope\", scope=\"a b\", resource_metadata=\"https://h/m\""
            ])
        );
    }
}
