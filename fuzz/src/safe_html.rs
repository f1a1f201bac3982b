use bartizan_validate::safe::html::SafeHtml;

const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "dd",
    "del",
    "dfn",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
    "var",
];

const ATTRIBUTES: &[&str] = &[
    "lang", "title", "href", "start", "colspan", "rowspan", "scope",
];

/// HTML that a caller sends.
///
/// What is sanitized has only tags, attributes and links of the list, by a naive reading of the canonical form; and is then
/// clean, and stays as it is.
pub fn safe_html(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(sanitized) = SafeHtml::<4096>::sanitized(text) {
        is_harmless(sanitized.as_str());
        let again = SafeHtml::<4096>::new(sanitized.as_str());
        assert_eq!(again.as_ref(), Ok(&sanitized));
    }
    if let Ok(clean) = SafeHtml::<4096>::new(text) {
        is_harmless(clean.as_str());
        assert_eq!(SafeHtml::sanitized(text), Ok(clean));
    }
}

fn is_harmless(html: &str) {
    for tag in html.split('<').skip(1) {
        let (tag, _) = tag
            .split_once('>')
            .unwrap_or_else(|| panic!("an open tag: {html}"));
        if let Some(name) = tag.strip_prefix('/') {
            assert!(ELEMENTS.contains(&name), "{name}: {html}");
            continue;
        }
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(ELEMENTS.contains(&name), "{name}: {html}");
        while !rest.is_empty() {
            let (name, value) = rest
                .split_once("=\"")
                .unwrap_or_else(|| panic!("{rest}: {html}"));
            let (value, after) = value
                .split_once('"')
                .unwrap_or_else(|| panic!("{rest}: {html}"));
            assert!(ATTRIBUTES.contains(&name), "{name}: {html}");
            let is_link = |scheme| value.starts_with(scheme);
            let is_admitted = ["https://", "http://", "mailto:"].into_iter().any(is_link);
            assert!(name != "href" || is_admitted, "{value}: {html}");
            rest = after.trim_start_matches(' ');
        }
    }
}
