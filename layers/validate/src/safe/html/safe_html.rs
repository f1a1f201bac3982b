use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use ammonia::{Builder, UrlRelative};

use super::intricacy::is_plain;
use crate::safe::{
    Refused, SafeText,
    characters::hidden,
    read::{FromText, text_type},
};

/// A piece of HTML of at most `MAX` bytes that only looks like something: paragraphs, headings, lists, tables, emphasis, code,
/// quotations, and links to `https`, `http` and `mailto`.
///
/// There is no script, style, form, frame or image (a picture tells its server who looks, and a model that writes one tells it
/// more), and no `class`, `id` or `name` for the page's own scripts to stumble over. It is for the inside of an element;
/// attributes, scripts and styles have other rules.
///
/// Reading is strict: what is not clean, and written as this type would write it, is refused, and nothing is silently lost.
/// To make clean what is not is a decision, [`sanitized`](Self::sanitized), to be made where it is shown. Sanitizing is
/// [`ammonia`]'s, which parses as browsers do. See [the guide](crate::guide::html) for what goes wrong otherwise.
///
/// ```
/// use bartizan_validate::safe::{SafeText, html::SafeHtml};
///
/// // An argument that is to be HTML.
/// let clean: SafeHtml = "<p>All <b>well</b></p>".parse().unwrap();
/// assert!("<p onclick=alert(1)>All well</p>".parse::<SafeHtml>().is_err());
///
/// // What somebody else wrote, made clean where it is shown.
/// let shown: SafeHtml = SafeHtml::sanitized("<p onclick=alert(1)>All <b>well<script>alert(1)</script>").unwrap();
/// assert_eq!(shown.as_str(), "<p>All <b>well</b></p>");
///
/// // Text that is to be shown as it is: kept as text, and escaped where it becomes HTML.
/// let text: SafeText = "if a < b and c > d".parse().unwrap();
/// let shown: SafeHtml = SafeHtml::text(&text).unwrap();
/// assert_eq!(shown.as_str(), "if a &lt; b and c &gt; d");
/// ```
///
/// To parse takes some milliseconds for what is long and nested on purpose. What a parser would make much more of than is written is
/// refused before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeHtml<const MAX: usize = 65536> {
    text: Box<str>,
}

impl<const MAX: usize> SafeHtml<MAX> {
    /// The HTML, if it is clean.
    ///
    /// # Errors
    ///
    /// With the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, Refused> {
        Self::from_text(text)
    }

    /// What is clean of it. Elements that are not admitted go and what is in them stays, except of scripts and styles; so do
    /// characters that are not seen.
    ///
    /// # Errors
    ///
    /// If it is too long, before or after, or too intricate.
    pub fn sanitized(text: &str) -> Result<Self, Refused> {
        judge_size::<MAX>(text)?;
        let mut text = without_hidden(text);
        // Once is enough, unless what is written down is read otherwise than it was made. Then it is suspect.
        for _ in 0..3 {
            let cleaned = without_hidden(&clean(&text));
            judge_size::<MAX>(&cleaned)?;
            if cleaned == text {
                return Ok(Self { text: text.into() });
            }
            text = cleaned;
        }
        Err(refused("can't be made clean"))
    }

    /// A text as HTML that shows it.
    ///
    /// # Errors
    ///
    /// If it is then too long.
    pub fn text<const LENGTH: usize>(text: &SafeText<LENGTH>) -> Result<Self, Refused> {
        let mut escaped = String::with_capacity(text.as_str().len());
        for c in text.as_str().chars() {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '\u{A0}' => escaped.push_str("&nbsp;"),
                c => escaped.push(c),
            }
        }
        if escaped.len() > MAX {
            return Err(refused("is too long"));
        }
        Ok(Self {
            text: escaped.into(),
        })
    }
}

impl<const MAX: usize> FromText for SafeHtml<MAX> {
    const WHAT: &'static str = "HTML";

    fn from_text(text: &str) -> Result<Self, Refused> {
        judge_size::<MAX>(text)?;
        if let Some(rule) = text.chars().filter(|c| !is_white(*c)).find_map(hidden) {
            return Err(refused(rule));
        }
        match clean(text) == text {
            true => Ok(Self { text: text.into() }),
            false => Err(refused(
                "is not clean, or not written plainly: tags in lower case and closed, attributes in double quotes",
            )),
        }
    }
}

const fn refused(rule: &'static str) -> Refused {
    Refused::new("HTML", rule)
}

fn judge_size<const MAX: usize>(text: &str) -> Result<(), Refused> {
    if text.len() > MAX {
        return Err(refused("is too long"));
    }
    match is_plain(text) {
        true => Ok(()),
        false => Err(refused("has too many tags")),
    }
}

fn is_white(c: char) -> bool {
    matches!(c, '\n' | '\t')
}

fn without_hidden(text: &str) -> String {
    let is_seen = |c: &char| is_white(*c) || *c == '\r' || hidden(*c).is_none();
    text.chars().filter(is_seen).collect()
}

fn clean(text: &str) -> String {
    CLEANER.clean(text).to_string()
}

/// Whether a link says itself where it leads: browsers read others too, with line breaks in the scheme.
fn is_plain_link(link: &str) -> bool {
    let is_of = |scheme| {
        link.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty())
    };
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '\\';
    ["https://", "http://", "mailto:"].into_iter().any(is_of) && link.chars().all(is_plain)
}

const TAGS: &str = "a abbr b blockquote br caption cite code dd del dfn dl dt em h1 h2 h3 h4 h5 h6 hr i ins kbd li mark ol p \
    pre q s samp small span strong sub sup table tbody td tfoot th thead tr u ul var";

const ATTRIBUTES: [(&str, &str); 4] = [
    ("a", "href"),
    ("ol", "start"),
    ("td", "colspan rowspan"),
    ("th", "colspan rowspan scope"),
];

const ATTRIBUTES_OF_ALL: &str = "lang title";

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let set = |words: &'static str| words.split(' ').collect::<HashSet<&str>>();
    let attributes = ATTRIBUTES.map(|(tag, names)| (tag, set(names)));
    let mut builder = Builder::empty();
    builder
        .tags(set(TAGS))
        .clean_content_tags(set("script style"))
        .tag_attributes(HashMap::from(attributes))
        .generic_attributes(set(ATTRIBUTES_OF_ALL))
        .url_schemes(set("http https mailto"))
        .url_relative(UrlRelative::Deny)
        .attribute_filter(|_, name, value| {
            let is_kept = name != "href" || is_plain_link(value);
            is_kept.then_some(value.into())
        })
        .link_rel(None)
        .strip_comments(true);
    builder
});

/// How clean HTML is written, as far as a pattern tells: these tags, with any of the attributes, and nothing that is not seen.
#[cfg(feature = "schemars")]
fn pattern() -> String {
    let not = |those| {
        let hidden = crate::safe::characters::hidden_class!();
        format!(r"[^{those}\u0000-\u0008\u000B-\u001F{hidden}]")
    };
    let attributes = ATTRIBUTES.map(|(_, names)| names).join(" ");
    let one_of = |words: &str| words.replace(' ', "|");
    format!(
        "^({}|&(amp|lt|gt|nbsp);|</?({})( ({}|{})=\"{}*\")*>)*$",
        not("<>&"),
        one_of(TAGS),
        one_of(ATTRIBUTES_OF_ALL),
        one_of(&attributes),
        not("\""),
    )
}

text_type! {
    [const MAX: usize] SafeHtml<MAX>, format!("SafeHtml{MAX}"),
    schema: {
        "maxLength": MAX,
        "pattern": pattern(),
        "contentMediaType": "text/html",
        "description": "HTML without scripts, styles, forms, images and event handlers",
    }
}
