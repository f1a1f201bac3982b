//! What CI can hold a request to on any machine: instructions and allocations of our stack.
//!
//! ```sh
//! scripts/gates.sh            # compares with benches/gates.json
//! scripts/gates.sh --record   # writes it
//! ```
//!
//! The script runs this program once per case, under callgrind, which counts inside of [`measured`]
//! only. Twenty requests whose token is remembered, so there is no cryptography in the figure:
//! valgrind knows fewer of a CPU's instructions for that than the CPU has. What the counting
//! allocator itself costs, some 8 %, is in it.
//!
//! ```text
//! gates --list            the cases, a line each
//! gates CASE              drives a case
//! gates --allocations     counts those of all cases, as one line of JSON
//! ```

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a measurement stops at what goes wrong, prints, and is no API"
)]

mod common;

use std::{collections::BTreeMap, env};

use axum::{Router, body::Body};
use bartizan_kit::Algorithm;
use http::Request;
use serde_json::json;

use crate::common::{
    drive::drive,
    inner,
    ours::{self, Setup},
    requests::Requests,
    tokens::{Tokens, bearer},
};

/// Driven inside of the measurement.
const ITERATIONS: usize = 20;

/// A stack around the router, as it is measured beside the peers, without the trace layer that
/// both have there.
struct Case {
    name: &'static str,
    stack: fn(&Setup) -> Router,
}

const CASES: &[Case] = &[
    Case {
        name: "parity_hot",
        stack: |setup| inner::served(inner::router().layer(ours::parity(setup))),
    },
    Case {
        name: "full_hot",
        stack: |setup| inner::served(inner::router().layer(ours::full(setup))),
    },
    Case {
        name: "token_warm",
        stack: |setup| inner::served(inner::router().layer(ours::jwt(setup))),
    },
];

fn main() {
    let arguments: Vec<_> = env::args().skip(1).filter(|a| a != "--bench").collect();
    let tokens = Tokens::new();
    match arguments.first().map(String::as_str) {
        Some("--list") => CASES.iter().for_each(|case| println!("{}", case.name)),
        Some("--allocations") => println!("{}", allocations(&tokens)),
        Some(name) => {
            let case = CASES.iter().find(|case| case.name == name);
            run(case.expect("no such case"), &tokens);
        }
        // `cargo bench` without a word: show that all cases run.
        None => println!("{}", allocations(&tokens)),
    }
}

fn allocations(tokens: &Tokens) -> serde_json::Value {
    let counts = CASES.iter().map(|case| {
        let mut prepared = prepare(case, tokens);
        let (stack, requests) = &mut prepared;
        let counted = allocation_counter::measure(|| measured(stack, std::mem::take(requests)));
        let figures = json!({"allocations": counted.count_total, "bytes": counted.bytes_total});
        (case.name, figures)
    });
    let counts: BTreeMap<_, _> = counts.collect();
    json!({"iterations": ITERATIONS, "cases": counts})
}

fn run(case: &Case, tokens: &Tokens) {
    let (stack, requests) = prepare(case, tokens);
    measured(&stack, requests);
}

/// The stack, warm: what is made once is there, and the token is remembered.
fn prepare(case: &Case, tokens: &Tokens) -> (Router, Vec<Request<Body>>) {
    let stack = (case.stack)(&Setup::new(&tokens.jwks()));
    let token = tokens.good(Algorithm::Rs256).encode();
    let mut requests = Requests::call(300).with_token(bearer(&token));
    for request in requests.batch(ITERATIONS) {
        assert_eq!(drive(&stack, request), 200, "{}", case.name);
    }
    (stack, requests.batch(ITERATIONS))
}

/// What callgrind counts; the script knows it by this name.
#[inline(never)]
fn measured(stack: &Router, requests: Vec<Request<Body>>) {
    for request in requests {
        drive(stack, request);
    }
}
