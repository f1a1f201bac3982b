use std::{fmt, marker::PhantomData};

use super::{
    SqlDialect, SqlIdent,
    ident::{is_identifier, quote},
};
use crate::safe::{
    Refused,
    read::{FromText, compares_as_text, text_type},
};

/// The names that a caller may choose among, in code: see [`sql`](super).
///
/// They are [identifiers](SqlIdent); a list with another does not compile where it is used.
pub trait SqlNames {
    /// The names, as the database spells them.
    const NAMES: &'static [&'static str];
}

/// One of the names of a list: the column to sort by, the table to search. See [`sql`](super).
///
/// The schema of a tool names them all.
pub struct SqlName<L> {
    text: Box<str>,
    mark: PhantomData<fn() -> L>,
}

impl<L: SqlNames> SqlName<L> {
    const ARE_IDENTIFIERS: () = {
        let mut names = L::NAMES;
        while let [name, rest @ ..] = names {
            assert!(is_identifier(name), "a name is no identifier");
            names = rest;
        }
    };

    /// The name, if it is listed.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn new(text: &str) -> Result<Self, Refused> {
        Self::from_text(text)
    }

    /// In quotes, as a part of a statement.
    pub fn quoted(&self, dialect: SqlDialect) -> String {
        quote(&self.text, dialect)
    }
}

impl<L: SqlNames> FromText for SqlName<L> {
    const WHAT: &'static str = "name";

    fn from_text(text: &str) -> Result<Self, Refused> {
        let () = Self::ARE_IDENTIFIERS;
        match L::NAMES.contains(&text) {
            true => Ok(Self {
                text: text.into(),
                mark: PhantomData,
            }),
            false => Err(Refused::new(Self::WHAT, "is none of those that are listed")),
        }
    }
}

impl<L> fmt::Debug for SqlName<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqlName").field(&self.text).finish()
    }
}

impl<L: SqlNames> From<SqlName<L>> for SqlIdent {
    fn from(name: SqlName<L>) -> Self {
        Self::listed(name.text)
    }
}

compares_as_text!([L] SqlName<L>);

text_type! {
    [L: SqlNames] SqlName<L>, "SqlName",
    schema: { "enum": L::NAMES }
}
