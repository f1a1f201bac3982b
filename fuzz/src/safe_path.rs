use std::path::{Component, Path};

use bartizan_validate::safe::SafePath;
use unicode_normalization::UnicodeNormalization;
use url::Url;

/// A path that a caller sends.
///
/// What is accepted stays below a directory, to this system, to the URL standard, and once it is decoded, folded, or its
/// backslashes are turned.
pub fn safe_path(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let Ok(path) = SafePath::new(text) else {
        return;
    };
    assert_eq!(path.as_str(), text);
    assert!(path.parts().eq(text.split('/')));
    is_below(text);
    is_below(&text.replace('\\', "/"));
    let folded: String = text.nfkc().collect();
    is_below(&folded);
    assert_eq!(folded.split('/').count(), path.parts().count(), "{text}");
    let url = Url::parse("file:///base/").expect("a URL").join(text);
    let url = url.expect("a relative reference");
    assert!(
        url.path().starts_with("/base/") && url.host().is_none(),
        "{url}"
    );
    let decoded: Vec<u8> =
        url::form_urlencoded::parse(text.replace(['&', '=', ';'], "_").as_bytes())
            .flat_map(|(name, _)| name.into_owned().into_bytes())
            .collect();
    is_below(&String::from_utf8_lossy(&decoded));
}

fn is_below(text: &str) {
    let mut parts = Path::new(text).components();
    assert!(
        parts.all(|part| matches!(part, Component::Normal(_))),
        "{text}"
    );
    assert!(!text.contains(['\0', '\\', ':']), "{text}");
    assert!(!text.ends_with(['.', '/']), "{text}");
}
