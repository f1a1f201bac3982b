//! What is found and what is not, by value and by name; whatever it is encoded in, and whatever it stands in.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

#[path = "sensitive/corpus.rs"]
mod corpus;
#[path = "sensitive/json.rs"]
mod json;
#[path = "sensitive/linear.rs"]
mod linear;
#[path = "sensitive/secrets.rs"]
mod secrets;
#[path = "sensitive/vectors.rs"]
mod vectors;
