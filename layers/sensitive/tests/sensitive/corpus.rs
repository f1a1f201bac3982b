use bartizan_sensitive::{Finder, Kinds, Redactor};
use proptest::prelude::*;

use super::secrets::{FORMS, around, encoded, nested, secrets};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_secret_is_left_in_text(
        (secret, part) in secrets(), (before, after) in around(), form in prop::sample::select(&FORMS[..])
    ) {
        let text = format!("{before}{}{after}", encoded(form, &secret));
        let masked = Finder::new(&Kinds::all()).mask(&text).into_owned();
        let shown = encoded(form, &part);
        prop_assert!(!masked.contains(&part) && !masked.contains(&shown), "{}\n{}", text, masked);
    }

    #[test]
    fn no_secret_is_left_in_json(
        (secret, part) in secrets(), (before, after) in around(), form in prop::sample::select(&FORMS[..]), place in 0_u8..5
    ) {
        let text = format!("{before}{}{after}", encoded(form, &secret));
        let json = nested(place, &text).to_string();
        let mut out = Vec::new();
        let masked = Redactor::new().redact(json.as_bytes(), &mut out);
        let out = String::from_utf8(out).unwrap();
        let shown = encoded(form, &part);
        prop_assert!(!out.contains(&part) && !out.contains(&shown), "{}\n{}", json, out);
        prop_assert!(!masked.is_empty());
        for mask in &masked {
            prop_assert!(!mask.path.contains(&part), "{}", mask.path);
        }
    }

    #[test]
    fn ranges_are_in_order_apart_and_at_bounds_of_characters(text in r#"(\PC|ann@ex\.com|%4[0-9]|\\u0040|é|@|sk_a1b2c3d4e5f6|4111 1111 1111 1111|password[=:]| ){0,30}"#) {
        let finder = Finder::new(&Kinds::all());
        let mut last = 0;
        for found in finder.find(&text) {
            prop_assert!(found.range.start >= last && !found.range.is_empty());
            prop_assert!(text.get(found.range.clone()).is_some());
            last = found.range.end;
        }
    }
}
