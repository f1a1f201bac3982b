use bartizan_validate::safe::{SafeLine, SafeText, Slug};
use unicode_normalization::UnicodeNormalization;

/// A text that a caller sends.
///
/// What is accepted is what its normal form is, in bounds, without controls; what is normalized is accepted; a line is a
/// text; and a slug is its pattern.
pub fn safe_text(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(safe) = SafeText::<64>::new(text) {
        assert_eq!(safe.as_str(), text);
        assert!(text.chars().count() <= 64);
        assert!(text.nfc().eq(text.chars()), "{text:?}");
        let is_admitted = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
        assert!(text.chars().all(is_admitted), "{text:?}");
        let json = serde_json::to_string(&safe).expect("a string");
        let again: SafeText<64> = serde_json::from_str(&json).expect("the same");
        assert_eq!(again, safe);
    }
    if SafeLine::<64>::new(text).is_ok() {
        assert!(
            SafeText::<64>::new(text).is_ok() && text.lines().count() <= 1,
            "{text:?}"
        );
    }
    if let Ok(normal) = SafeText::<64>::normalized(text) {
        assert!(SafeText::<64>::new(normal.as_str()).is_ok());
        assert!(normal.as_str().chars().eq(text.nfc()));
    }
    let is_slug = text.len() <= 64
        && text.split('-').all(|part| {
            let is_letter = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9');
            !part.is_empty() && part.bytes().all(is_letter)
        });
    assert_eq!(Slug::new(text).is_ok(), is_slug, "{text:?}");
}
