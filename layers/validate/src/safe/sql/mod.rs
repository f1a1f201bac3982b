//! What of a statement a caller may choose.
//!
//! Values are parameters, always; then no database reads them as anything else. What cannot be a parameter is
//! a name (of a column to sort by, of a table) or a direction, and for those there are types: [`SqlName`], one of a list that stands
//! in the code; [`SqlOrder`]; and [`SqlIdent`], any plain identifier, for those who administer. What is
//! searched for with `LIKE` is a parameter too, but its wildcards are the caller's: [`LikePattern`].
//!
//! ```
//! # let database = rusqlite::Connection::open_in_memory().unwrap();
//! # database.execute_batch("CREATE TABLE users (name, role); INSERT INTO users VALUES ('ann', 'admin'), ('bob', 'viewer')").unwrap();
//! use bartizan_validate::safe::sql::{LikePattern, SqlDialect, SqlName, SqlNames, SqlOrder};
//!
//! struct SortColumns;
//! impl SqlNames for SortColumns {
//!     const NAMES: &'static [&'static str] = &["name", "role"];
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Arguments {
//!     contains: String,
//!     sort: SqlName<SortColumns>,
//!     order: SqlOrder,
//! }
//!
//! let asked = r#"{"contains": "n", "sort": "name", "order": "desc"}"#;
//! let arguments: Arguments = serde_json::from_str(asked).unwrap();
//! let statement = format!(
//!     "SELECT name FROM users WHERE name LIKE ?1 {} ORDER BY {} {}",
//!     LikePattern::ESCAPE,
//!     arguments.sort.quoted(SqlDialect::Sqlite),
//!     arguments.order,
//! );
//! let pattern = LikePattern::contains(&arguments.contains);
//! let found: String = database.query_row(&statement, [pattern.as_str()], |row| row.get(0)).unwrap();
//! assert_eq!(found, "ann");
//!
//! // Another's password is no column to sort by, and nor is a statement.
//! for no in ["password_hash", "name; DROP TABLE users", "(SELECT 1)"] {
//!     let asked = format!(r#"{{"contains": "", "sort": "{no}", "order": "asc"}}"#);
//!     assert!(serde_json::from_str::<Arguments>(&asked).is_err());
//! }
//! ```
//!
//! See the guide for [what goes wrong otherwise](crate::guide::sql), and for [parameters with `sqlx`](crate::guide::sqlx).

mod ident;
mod like;
mod name;
mod order;

pub use ident::{SqlDialect, SqlIdent};
pub use like::LikePattern;
pub use name::{SqlName, SqlNames};
pub use order::SqlOrder;
