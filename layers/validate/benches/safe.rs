//! What it costs to read an argument as a safe type.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench")]

use std::hint::black_box;

use bartizan_validate::safe::{
    SafeArg, SafeLine, SafePath, SafeText, Slug, html::SafeHtml, net::SafeUrl, sql::SqlIdent,
};
use criterion::{Criterion, criterion_group, criterion_main};

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("safe");
    let long = "All of it is well, and nothing stands in the way. ".repeat(20);
    group.bench_function("line", |b| {
        b.iter(|| SafeLine::<256>::new(black_box("Reset of the staging cluster")));
    });
    group.bench_function("text/1000", |b| {
        b.iter(|| SafeText::<4096>::new(black_box(&long)));
    });
    group.bench_function("slug", |b| {
        b.iter(|| Slug::new(black_box("release-2026-11")));
    });
    group.bench_function("path", |b| {
        b.iter(|| SafePath::new(black_box("reports/2026/november.csv")));
    });
    group.bench_function("path/refused", |b| {
        b.iter(|| SafePath::new(black_box("../../../../etc/passwd")));
    });
    group.bench_function("arg", |b| {
        b.iter(|| SafeArg::new(black_box("fix: it is broken")));
    });
    group.bench_function("ident", |b| {
        b.iter(|| SqlIdent::new(black_box("created_at")));
    });
    let url = "https://www.example.com/a/b?c=d";
    group.bench_function("url", |b| b.iter(|| <SafeUrl>::new(black_box(url))));
    let html = "<p>All <b>well</b>, see <a href=\"https://example.com/\">there</a></p>";
    group.bench_function("html", |b| {
        b.iter(|| SafeHtml::<65536>::new(black_box(html)));
    });
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
