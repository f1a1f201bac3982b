//! What it costs to read an argument as a safe type (`safe`), beside what one would write by hand (`hand`), which mostly judges less:
//! a loop over the characters, a pattern compiled once, `std::path`, `url`, `ammonia`. Both end with a value of their own.
//!
//! ```sh
//! cargo bench -p bartizan-validate --all-features --bench safe
//! ```
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench")]

use std::{
    hint::black_box,
    path::{Component, Path},
    time::Duration,
};

use bartizan_validate::safe::{
    SafeArg, SafeLine, SafePath, SafeText, Slug, html::SafeHtml, net::SafeUrl, sql::SqlIdent,
};
use criterion::{Criterion, criterion_group, criterion_main};
use regex::Regex;
use url::{Host, Url};

fn both<A, B>(
    c: &mut Criterion,
    name: &str,
    input: &str,
    safe: impl Fn(&str) -> A,
    hand: impl Fn(&str) -> B,
) {
    let mut group = c.benchmark_group(name);
    group.bench_function("safe", |b| b.iter(|| safe(black_box(input))));
    group.bench_function("hand", |b| b.iter(|| hand(black_box(input))));
    group.finish();
}

fn text(c: &mut Criterion) {
    let plain = |text: &str, most: usize| {
        let is_plain = text.chars().count() <= most && !text.chars().any(char::is_control);
        is_plain.then(|| text.to_owned())
    };
    let line = "Reset of the staging cluster";
    let foreign = "Сброс кластера: alles zurückgesetzt 👍";
    for (name, line) in [("line", line), ("line/foreign", foreign)] {
        let hand = |line: &str| plain(line, 256);
        both(c, name, line, SafeLine::<256>::new, hand);
    }
    let long = "All of it is well, and nothing stands in the way. ".repeat(20);
    let hand = |text: &str| plain(text, 4096);
    both(c, "text/1000", &long, SafeText::<4096>::new, hand);
    let long = "Всё хорошо, и ничто не стоит на пути. ".repeat(26);
    both(c, "text/1000/foreign", &long, SafeText::<4096>::new, hand);
}

fn names(c: &mut Criterion) {
    let by = |pattern: &str| {
        let pattern = Regex::new(pattern).unwrap();
        move |text: &str| pattern.is_match(text).then(|| text.to_owned())
    };
    let slug = by("^[a-z0-9]+(-[a-z0-9]+)*$");
    both(c, "slug", "release-2026-11", Slug::new, slug);
    let ident = by("^[A-Za-z_][A-Za-z0-9_]{0,62}$");
    both(c, "ident", "created_at", SqlIdent::new, ident);
    let arg = |text: &str| (!text.starts_with('-')).then(|| text.to_owned());
    both(c, "arg", "fix: it is broken", SafeArg::new, arg);
}

fn paths(c: &mut Criterion) {
    let hand = |path: &str| {
        let mut parts = Path::new(path).components();
        let is_below = parts.all(|part| matches!(part, Component::Normal(_)));
        is_below.then(|| path.to_owned())
    };
    let path = "reports/2026/november.csv";
    both(c, "path", path, SafePath::new, hand);
    let path = "../../../../etc/passwd";
    both(c, "path/refused", path, SafePath::new, hand);
    let path = "berichte/2026/übersicht.csv";
    both(c, "path/foreign", path, SafePath::new, hand);
}

fn urls(c: &mut Criterion) {
    let hand = |text: &str| {
        let url = Url::parse(text).ok()?;
        let is_public = match url.host()? {
            Host::Domain(name) => name != "localhost",
            Host::Ipv4(address) => !address.is_private() && !address.is_loopback(),
            Host::Ipv6(address) => !address.is_loopback(),
        };
        (url.scheme() == "https" && is_public).then_some(url)
    };
    let url = "https://www.example.com/a/b?c=d";
    both(c, "url", url, <SafeUrl>::new, hand);
}

fn html(c: &mut Criterion) {
    let html = "<p>All <b>well</b>, see <a href=\"https://example.com/\">there</a></p>";
    both(c, "html", html, SafeHtml::<65536>::new, ammonia::clean);
    let html = html.repeat(40);
    both(
        c,
        "html/2800",
        &html,
        SafeHtml::<65536>::new,
        ammonia::clean,
    );
}

/// As a tool has them.
fn arguments(c: &mut Criterion) {
    #[derive(serde::Deserialize)]
    #[allow(dead_code, reason = "they are read")]
    struct Safe {
        title: SafeLine,
        project: Slug,
        file: SafePath,
        note: SafeText,
    }
    #[derive(serde::Deserialize)]
    #[allow(dead_code, reason = "they are read")]
    struct Strings {
        title: String,
        project: String,
        file: String,
        note: String,
    }
    let note = "All of it is well, and nothing stands in the way. ".repeat(4);
    let asked = format!(
        r#"{{"title":"Q3, final","project":"apollo-13","file":"reports/q3.pdf","note":"{note}"}}"#
    );
    let safe = |json: &str| serde_json::from_str::<Safe>(json).unwrap();
    let hand = |json: &str| serde_json::from_str::<Strings>(json).unwrap();
    both(c, "arguments/unjudged", &asked, safe, hand);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = text, names, paths, urls, html, arguments
}
criterion_main!(benches);
