//! A bounded reader of server-sent events (feature `sse`), for layers that look into answers.
//!
//! It follows WHATWG HTML, "Server-sent events", 9.2.5 (the grammar) and 9.2.6 (what the lines mean):
//! a line ends with a line feed, a carriage return, or both; one byte order mark at the very start of the
//! stream is none of it; an event ends with an empty line; a line that begins with a colon is a comment; a
//! line without a colon is a field without a value.
//!
//! - [`Lines`] finds where lines end, over any cut of the stream into frames.
//! - [`EventReader`] makes whole events of them, each within a bound.
//! - [`Event`] tells what an event says, and writes it anew with other data.
//! - [`Seam`] finds what was cut in two.
//!
//! Nothing is lost or made up: what a reader gives, put together, is what came in.
//!
//! ```
//! use bartizan_core::sse::{EventReader, Piece};
//!
//! let mut events = EventReader::new(64);
//! events.push("id: 7\r\ndata: {\"a\":\r\nda".into());
//! assert!(events.next().is_none(), "it has not ended");
//!
//! // Yes: a whole event, however it was cut.
//! events.push("ta: 1}\r\n\r\n".into());
//! let Some(Piece::Event(event)) = events.next() else { panic!("it has ended") };
//! assert_eq!(event.data().as_deref(), Some(&b"{\"a\":\n1}"[..]));
//! assert_eq!(event.with_data(b"{}"), "id: 7\r\ndata: {}\r\n\r\n");
//!
//! // No: what is beyond the bound comes in parts, and never as an event.
//! events.push(format!("data: {}\n\n", "x".repeat(100)).into());
//! assert!(matches!(events.next(), Some(Piece::Part(_))));
//! ```

mod event;
mod lines;
#[cfg(test)]
mod model;
mod reader;
mod seam;

pub use event::{Event, Line};
pub use lines::{BOM, Field, LinePart, Lines};
pub use reader::{EventReader, Part, Piece};
pub use seam::Seam;
