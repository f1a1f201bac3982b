use bartizan_validate::safe::SafeArg;
use unicode_normalization::UnicodeNormalization;

/// An operand that a caller sends.
///
/// What is accepted is one line, is no option, and is none once it is folded.
pub fn safe_arg(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let Ok(operand) = SafeArg::new(text) else {
        return;
    };
    assert_eq!(operand.as_str(), text);
    assert!(!text.is_empty() && text.lines().count() == 1, "{text:?}");
    assert!(!text.contains(char::is_control), "{text:?}");
    let folded: String = text.nfkc().collect();
    for text in [text, &folded] {
        assert!(
            !text.starts_with(['-', '@', '\u{2212}', '\u{2013}']),
            "{text:?}"
        );
    }
}
