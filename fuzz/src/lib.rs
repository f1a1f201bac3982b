//! What each fuzz target feeds to a layer, and what must hold afterwards.
//!
//! Every function takes arbitrary bytes, sends them through a public layer, and panics if an
//! independent reading of the same bytes says that the layer was wrong. `cargo fuzz` calls them
//! without end, `tests/seeds.rs` for a few seconds.

mod answer;
mod api_key;
mod call_body;
mod call_headers;
mod challenge;
mod child;
mod claims;
mod event_stream;
mod forwarded;
mod header;
mod host;
mod issuer;
mod json;
mod jwks;
mod key_record;
mod lines;
mod list;
mod origin;
mod proof;
mod proof_header;
mod redaction;
mod safe_arg;
mod safe_html;
mod safe_path;
mod safe_sql;
mod safe_text;
mod safe_url;
mod schema;
mod send;
mod session_id;
mod sse;
mod token;
mod tool_answer;

pub use answer::answer;
pub use api_key::api_key;
pub use call_body::call_body;
pub use call_headers::call_headers;
pub use challenge::challenge;
pub use child::child;
pub use claims::claims;
pub use event_stream::event_stream;
pub use forwarded::forwarded;
pub use header::header;
pub use host::host;
pub use jwks::jwks;
pub use key_record::key_record;
pub use list::list;
pub use origin::origin;
pub use proof::proof;
pub use proof_header::proof_header;
pub use redaction::redaction;
pub use safe_arg::safe_arg;
pub use safe_html::safe_html;
pub use safe_path::safe_path;
pub use safe_sql::safe_sql;
pub use safe_text::safe_text;
pub use safe_url::safe_url;
pub use schema::schema;
pub use session_id::session_id;
pub use sse::sse;
pub use token::token;
pub use tool_answer::tool_answer;

/// An oracle: it panics if a layer broke a promise.
pub type Oracle = fn(&[u8]);

/// Every target by its name, which is also that of its seeds and of its dictionary.
pub const TARGETS: &[(&str, Oracle)] = &[
    ("answer", answer),
    ("api_key", api_key),
    ("call_body", call_body),
    ("call_headers", call_headers),
    ("challenge", challenge),
    ("child", child),
    ("claims", claims),
    ("event_stream", event_stream),
    ("forwarded", forwarded),
    ("header", header),
    ("host", host),
    ("jwks", jwks),
    ("key_record", key_record),
    ("list", list),
    ("origin", origin),
    ("proof", proof),
    ("proof_header", proof_header),
    ("redaction", redaction),
    ("safe_arg", safe_arg),
    ("safe_html", safe_html),
    ("safe_path", safe_path),
    ("safe_sql", safe_sql),
    ("safe_text", safe_text),
    ("safe_url", safe_url),
    ("schema", schema),
    ("session_id", session_id),
    ("sse", sse),
    ("token", token),
    ("tool_answer", tool_answer),
];
