use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use bartizan_validate::safe::{SafeText, html::SafeHtml};
use proptest::prelude::*;
use regex::Regex;

use crate::vectors::{hold, vectors};

const HTML: &str = include_str!("../../../../tests/vectors/safe/html.txt");

#[test]
fn seed_v4_what_is_not_clean_is_refused_and_not_changed() {
    hold::<SafeHtml>(HTML, &["refused"]);
}

#[test]
fn what_attacks_is_harmless_once_it_is_sanitized() {
    for (verdict, value) in vectors(HTML) {
        let sanitized = SafeHtml::<65536>::sanitized(&value).unwrap();
        is_harmless(sanitized.as_str());
        assert_eq!(
            SafeHtml::new(sanitized.as_str()).unwrap(),
            sanitized,
            "{value:?}"
        );
        assert_eq!(
            verdict == "fine",
            sanitized.as_str() == value,
            "{value:?}: {sanitized}"
        );
    }
}

#[test]
fn what_is_kept_of_dirty_html_is_what_it_says() {
    for (dirty, clean) in [
        ("<p onclick=alert(1)>a<script>b</script></p>", "<p>a</p>"),
        ("<div><b>a</b></div>", "<b>a</b>"),
        ("<img src=https://x.example/>a", "a"),
        ("<a href=javascript:x>a</a>", "<a>a</a>"),
        (
            "<a href=https://x.example target=_blank>a</a>",
            "<a href=\"https://x.example\">a</a>",
        ),
        ("a < b & c", "a &lt; b &amp; c"),
        ("a\u{200b}b&#x202e;c", "abc"),
        ("<p>a", "<p>a</p>"),
    ] {
        assert_eq!(SafeHtml::<100>::sanitized(dirty).unwrap().as_str(), clean);
    }
}

#[test]
fn text_becomes_html_that_shows_it() {
    let text = SafeText::<100>::new("<b> & \"x\"\u{a0}'y'").unwrap();
    let html = SafeHtml::<100>::text(&text).unwrap();
    assert_eq!(html.as_str(), "&lt;b&gt; &amp; \"x\"&nbsp;'y'");
    assert_eq!(SafeHtml::new(html.as_str()).unwrap(), html);
    // The bound is of what it became.
    let text = SafeText::<100>::new(&"<".repeat(26)).unwrap();
    assert!(SafeHtml::<100>::text(&text).is_err());
    assert!(SafeHtml::<100>::sanitized(&"<".repeat(26)).is_err());
    assert!(SafeHtml::<100>::sanitized(&"a".repeat(101)).is_err());
    assert!(SafeHtml::<100>::new(&"a".repeat(101)).is_err());
}

/// Parsers open elements of formatting again in each block: of 64 KiB they would make gigabytes.
#[test]
fn what_a_parser_would_make_much_more_of_is_refused_before() {
    let many = |piece: &str, bytes: usize| piece.repeat(bytes / piece.len());
    let numbered = |bytes: usize| {
        (0..bytes / 8)
            .map(|n| format!("<b a{n}>"))
            .collect::<String>()
    };
    // Each of them another.
    let attributes = |begin: &str, between: &str| {
        let each = (0..60_000 / (4 + between.len())).map(|n| format!("{between}{n:x}"));
        format!("{begin}{}>x</a>", each.collect::<String>())
    };
    let bombs = [
        format!("<p>{}{}", numbered(32768), many("<p>x", 32768)),
        format!("<p>{}{}", numbered(4096), many("<p>x", 61440)),
        format!(
            "<p>{}{}",
            many("<b><i><u><tt><em><code>", 100),
            many("<p>x", 65000)
        ),
        format!("<P>{}{}", numbered(2000).to_uppercase(), many("<P>x", 6000)),
        many("<div>", 65536),
        many("<a><div>", 65536),
        many("<b><table><td>", 65536),
        many("<table><b>x", 65536),
        many("<", 65536),
        many("</p>", 65536),
        many("<svg><b>", 65536),
        many("<object><b>", 65536),
        many("&amp;", 65536),
        many("<b\u{c}a='>'>", 65536),
        attributes("<a", " "),
        attributes("<a b='>'", " "),
        attributes("</a", "/"),
        attributes("<a b=\"\"", "=\"\""),
        many("&", 65536),
        many("&notin", 65536),
    ];
    for bomb in bombs {
        for piece in [
            &bomb,
            bomb.get(..16384).unwrap_or(&bomb),
            bomb.get(..8000).unwrap_or(&bomb),
        ] {
            let begun = Instant::now();
            let made = SafeHtml::<65536>::sanitized(piece);
            let _ = SafeHtml::<65536>::new(piece);
            let taken = begun.elapsed();
            assert!(
                taken < Duration::from_secs(3),
                "{taken:?} for {}",
                piece.get(..40).unwrap()
            );
            assert!(made.is_err() || made.is_ok_and(|made| made.as_str().len() <= 65536));
        }
    }
}

static TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"^<(?:/(?:a|abbr|b|blockquote|caption|cite|code|dd|del|dfn|dl|dt|em|h[1-6]|i|ins|kbd|li|mark|ol|p|pre|q|s|samp|small|span|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|u|ul|var)>"#,
        r#"|(?:a|abbr|b|blockquote|br|caption|cite|code|dd|del|dfn|dl|dt|em|h[1-6]|hr|i|ins|kbd|li|mark|ol|p|pre|q|s|samp|small|span|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|u|ul|var)"#,
        r#"(?: (?:lang|title|start|colspan|rowspan|scope)="[^"<>]*"| href="(?:https?:|mailto:)[^"<>]*")*>)"#,
    ))
    .unwrap()
});

/// An independent reading of what was written: only tags, attributes and links of the list.
fn is_harmless(html: &str) {
    for (at, _) in html.match_indices('<') {
        assert!(TAG.is_match(&html[at..]), "{html}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn what_is_sanitized_is_harmless_and_stays_as_it_is(
        pieces in proptest::collection::vec(prop::sample::select(PIECES.to_vec()), 0..24)
    ) {
        let text = pieces.concat();
        if let Ok(sanitized) = SafeHtml::<65536>::sanitized(&text) {
            is_harmless(sanitized.as_str());
            prop_assert_eq!(SafeHtml::new(sanitized.as_str()).unwrap(), sanitized);
        }
        if let Ok(clean) = SafeHtml::<65536>::new(&text) {
            is_harmless(clean.as_str());
        }
    }

    #[test]
    fn any_text_is_sanitized_or_refused(text in any::<String>()) {
        if let Ok(sanitized) = SafeHtml::<65536>::sanitized(&text) {
            is_harmless(sanitized.as_str());
        }
    }

    #[test]
    fn any_text_is_shown_as_it_is(text in "[a-z<>&\"' \u{a0}\n]{0,40}") {
        let safe = SafeText::<100>::new(&text).unwrap();
        let html = SafeHtml::<1000>::text(&safe).unwrap();
        prop_assert!(!html.as_str().contains('<'));
        prop_assert_eq!(SafeHtml::new(html.as_str()).unwrap(), html);
    }
}

const PIECES: &[&str] = &[
    "<p>",
    "</p>",
    "<b>",
    "</b>",
    "<i>",
    "</i>",
    "<a href=\"https://x.example/\">",
    "<a href=javascript:x>",
    "</a>",
    "<table>",
    "</table>",
    "<tr>",
    "<td>",
    "<caption>",
    "<svg>",
    "</svg>",
    "<math>",
    "</math>",
    "<mtext>",
    "<mglyph>",
    "<style>",
    "</style>",
    "<script>",
    "</script>",
    "<title>",
    "</title>",
    "<textarea>",
    "</textarea>",
    "<noscript>",
    "</noscript>",
    "<xmp>",
    "</xmp>",
    "<select>",
    "<option>",
    "<template>",
    "</template>",
    "<form>",
    "</form>",
    "<img src=x onerror=alert(1)>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<pre>",
    "\n",
    "</pre>",
    "<ul>",
    "<li>",
    "&lt;",
    "&amp;",
    "&",
    "<",
    ">",
    "\"",
    "'",
    "=",
    " ",
    "x",
    "<p title=\"",
    "<p onclick=\"",
    "\">",
    "<br>",
    "</br>",
    "<hr>",
    "&#x202e;",
    "&nbsp;",
    "\u{200b}",
    "<plaintext>",
    "<desc>",
    "<foreignObject>",
    "<annotation-xml encoding=text/html>",
    "<blockquote>",
    "<h1>",
    "</h2>",
    "<dd>",
    "<dt>",
    "<span>",
    "<div>",
    "</div>",
    "\0",
    "\r\n",
    "<frameset>",
    "<body>",
    "<html>",
    "<head>",
    "<code>",
    "<q>",
    "<abbr title='a>b'>",
];
