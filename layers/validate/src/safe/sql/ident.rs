use crate::safe::{
    Refused,
    read::{FromText, text_type},
};

/// An identifier of any database: a letter of ASCII or `_`, then letters, digits or `_`; at most 63 bytes, since
/// `PostgreSQL` cuts off what is longer, and two names become one.
///
/// It breaks out of nothing. But which column or table it names is the caller's choice, and `password_hash` is one:
/// [`SqlName`](super::SqlName) is for arguments of tools.
///
/// ```
/// use bartizan_validate::safe::sql::{SqlDialect, SqlIdent};
///
/// let table: SqlIdent = "order".parse().unwrap(); // a keyword, so it has to be quoted
/// assert_eq!(table.quoted(SqlDialect::Postgres), r#""order""#);
/// assert_eq!(table.quoted(SqlDialect::MySql), "`order`");
/// assert!("a\"; DROP TABLE users; --".parse::<SqlIdent>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SqlIdent {
    text: Box<str>,
}

/// How a database quotes identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlDialect {
    /// `"name"`, as the standard says. Upper and lower case are told apart.
    Postgres,
    /// `` `name` ``: what is in double quotes and no column is a string to `SQLite`, and no error.
    Sqlite,
    /// `` `name` ``.
    MySql,
    /// `[name]`.
    MsSql,
}

impl SqlIdent {
    /// The longest, in bytes.
    pub const MAX: usize = 63;

    /// The identifier, if the text is one.
    ///
    /// # Errors
    ///
    /// With the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, Refused> {
        Self::from_text(text)
    }

    pub(super) fn listed(text: Box<str>) -> Self {
        Self { text }
    }

    /// In quotes, as a part of a statement.
    pub fn quoted(&self, dialect: SqlDialect) -> String {
        quote(&self.text, dialect)
    }
}

/// An identifier in quotes. It has none in itself.
pub(super) fn quote(identifier: &str, dialect: SqlDialect) -> String {
    match dialect {
        SqlDialect::Postgres => format!("\"{identifier}\""),
        SqlDialect::Sqlite | SqlDialect::MySql => format!("`{identifier}`"),
        SqlDialect::MsSql => format!("[{identifier}]"),
    }
}

/// Usable where a list of names is made, which then does not compile.
pub(super) const fn is_identifier(name: &str) -> bool {
    let [first, rest @ ..] = name.as_bytes() else {
        return false;
    };
    let mut rest = rest;
    let mut is_plain = first.is_ascii_alphabetic() || *first == b'_';
    while let [byte, others @ ..] = rest {
        is_plain = is_plain && (byte.is_ascii_alphanumeric() || *byte == b'_');
        rest = others;
    }
    is_plain && name.len() <= SqlIdent::MAX
}

impl FromText for SqlIdent {
    const WHAT: &'static str = "identifier";

    fn from_text(text: &str) -> Result<Self, Refused> {
        match is_identifier(text) {
            true => Ok(Self { text: text.into() }),
            false => Err(Refused::new(
                Self::WHAT,
                "is not a letter or `_` and then at most 62 letters, digits and `_`",
            )),
        }
    }
}

text_type! {
    [] SqlIdent, "SqlIdent",
    schema: {
        "minLength": 1,
        "maxLength": SqlIdent::MAX,
        "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
    }
}
