//! What it costs to find what is sensitive, and to redact an argument object of 2 KB.
//!
//! ```sh
//! cargo bench -p bartizan-sensitive --bench redaction
//! ```

#![allow(missing_docs, reason = "a bench is no API")]

use std::hint::black_box;

use bartizan_sensitive::{Finder, Kinds, Redactor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;

/// Arguments as tools get them: names, texts, numbers, an id, a path; and two values that are sensitive.
fn arguments() -> String {
    let line = |index: usize| {
        json!({
            "id": format!("550e8400-e29b-41d4-a716-44665544{index:04}"),
            "title": "Quarterly report of the northern branch",
            "path": "/srv/reports/2026/q3/north.md",
            "quantity": index,
            "price": 1299.5,
            "is_paid": true,
            "note": "Delivered on 2026-11-27, as agreed by telephone with the customer.",
        })
    };
    let mut lines = Vec::new();
    loop {
        let customer =
            json!({ "name": "Ann Lee", "email": "ann.lee@example.com", "api_key": "k-1" });
        let json = json!({ "customer": customer, "lines": lines }).to_string();
        if json.len() >= 2048 {
            return json;
        }
        lines.push(line(lines.len()));
    }
}

fn redaction(criterion: &mut Criterion) {
    let json = arguments();
    let (finder, redactor) = (Finder::new(&Kinds::all()), Redactor::new());
    let mut group = criterion.benchmark_group("2 KB of arguments");
    group.throughput(Throughput::Bytes(json.len() as u64));
    group.bench_function("redact", |bencher| {
        let mut out = Vec::with_capacity(4096);
        bencher.iter(|| {
            out.clear();
            black_box(redactor.redact(black_box(json.as_bytes()), &mut out))
        });
    });
    group.bench_function("find", |bencher| {
        bencher.iter(|| finder.find(black_box(&json)).len());
    });
    // What a user would do who has no redactor: parse, and write again.
    group.bench_function("serde_json alone", |bencher| {
        bencher.iter(|| {
            let value: serde_json::Value =
                serde_json::from_str(black_box(&json)).unwrap_or_default();
            value.to_string()
        });
    });
    group.finish();
}

criterion_group!(benches, redaction);
criterion_main!(benches);
