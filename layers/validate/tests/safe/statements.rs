//! Identifiers, names and patterns, in a real database.

use bartizan_validate::safe::sql::{
    LikePattern, SqlDialect, SqlIdent, SqlName, SqlNames, SqlOrder,
};
use proptest::prelude::*;
use rusqlite::Connection;

use crate::vectors::{hold, vectors};

const SQL: &str = include_str!("../../../../tests/vectors/safe/sql.txt");

#[derive(Debug)]
struct Columns;

impl SqlNames for Columns {
    const NAMES: &'static [&'static str] = &["name", "order", "created_at"];
}

#[test]
fn seed_v10_what_is_no_plain_identifier_is_refused() {
    hold::<SqlIdent>(SQL, &["refused"]);
}

#[test]
fn seed_v10_a_name_is_one_of_those_that_are_listed() {
    for (_, value) in vectors(SQL) {
        let is_listed = Columns::NAMES.contains(&&*value);
        assert_eq!(
            SqlName::<Columns>::new(&value).is_ok(),
            is_listed,
            "{value}"
        );
    }
    let name: SqlName<Columns> = serde_json::from_str("\"order\"").unwrap();
    assert_eq!(SqlIdent::from(name.clone()).as_str(), "order");
    assert_eq!(name, SqlName::new("order").unwrap());
    assert_ne!(name, SqlName::new("name").unwrap());
    for no in ["Name", "NAME", "name ", "password", "0", "null"] {
        let error = serde_json::from_str::<SqlName<Columns>>(&format!("{no:?}")).unwrap_err();
        assert!(!error.to_string().contains(no) || no == "name ", "{error}");
    }
}

#[cfg(feature = "schemars")]
#[test]
fn the_names_stand_in_the_schema() {
    let schema = schemars::schema_for!(SqlName<Columns>);
    assert_eq!(
        schema.get("enum").unwrap(),
        &serde_json::json!(Columns::NAMES)
    );
    let schema = schemars::schema_for!(SqlOrder);
    assert_eq!(
        schema.get("enum").unwrap(),
        &serde_json::json!(["asc", "desc"])
    );
}

#[test]
fn an_order_is_read_in_one_spelling() {
    for (text, order) in [("asc", SqlOrder::Asc), ("desc", SqlOrder::Desc)] {
        let json = format!("\"{text}\"");
        assert_eq!(serde_json::from_str::<SqlOrder>(&json).unwrap(), order);
        assert_eq!(serde_json::to_string(&order).unwrap(), json);
        assert_eq!(order.to_string(), text.to_uppercase());
    }
    for no in ["\"ASC\"", "\"\"", "\"asc,\"", "1", "null"] {
        assert!(serde_json::from_str::<SqlOrder>(no).is_err());
    }
}

#[test]
fn identifiers_are_quoted_as_each_database_does() {
    let ident = SqlIdent::new("order").unwrap();
    for (dialect, quoted) in [
        (SqlDialect::Postgres, "\"order\""),
        (SqlDialect::Sqlite, "`order`"),
        (SqlDialect::MySql, "`order`"),
        (SqlDialect::MsSql, "[order]"),
    ] {
        assert_eq!(ident.quoted(dialect), quoted);
    }
}

#[test]
fn a_keyword_is_a_name_and_a_column_that_is_missing_an_error() {
    let database = Connection::open_in_memory().unwrap();
    let sorted = |text: &str| {
        let column = SqlIdent::new(text).unwrap().quoted(SqlDialect::Sqlite);
        database.execute_batch(&format!("SELECT * FROM `group` ORDER BY {column}"))
    };
    database
        .execute_batch("CREATE TABLE `group` (`order`, `select`)")
        .unwrap();
    assert!(sorted("order").is_ok() && sorted("select").is_ok());
    // In double quotes SQLite takes it for a string, and sorts by nothing.
    assert!(
        database
            .execute_batch("SELECT * FROM `group` ORDER BY \"missing\"")
            .is_ok()
    );
    assert!(sorted("missing").is_err());
}

/// One row for each text. What it finds is found by comparing text, in Rust.
fn found(database: &Connection, pattern: &LikePattern) -> Vec<String> {
    let statement = format!(
        "SELECT text FROM texts WHERE text LIKE ?1 {}",
        LikePattern::ESCAPE
    );
    let mut statement = database.prepare(&statement).unwrap();
    let rows = statement
        .query_map([pattern.as_str()], |row| row.get(0))
        .unwrap();
    rows.map(Result::unwrap).collect()
}

fn texts(texts: &[String]) -> Connection {
    let database = Connection::open_in_memory().unwrap();
    let make =
        "PRAGMA case_sensitive_like = ON; CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT)";
    database.execute_batch(make).unwrap();
    for text in texts {
        database
            .execute("INSERT INTO texts (text) VALUES (?1)", [text])
            .unwrap();
    }
    database
}

#[test]
fn what_attacks_as_text_is_searched_for_as_text() {
    let all: Vec<String> = vectors(SQL).into_iter().map(|(_, value)| value).collect();
    // SQLite compares up to a NUL.
    let all: Vec<String> = all
        .into_iter()
        .filter(|text| !text.contains('\0'))
        .collect();
    let database = texts(&all);
    for text in &all {
        let holds = |is: &dyn Fn(&String) -> bool| {
            all.iter().filter(|t| is(t)).cloned().collect::<Vec<_>>()
        };
        let found = |pattern| found(&database, &pattern);
        assert_eq!(
            found(LikePattern::contains(text)),
            holds(&|t| t.contains(text))
        );
        assert_eq!(
            found(LikePattern::starts_with(text)),
            holds(&|t| t.starts_with(text))
        );
        assert_eq!(
            found(LikePattern::ends_with(text)),
            holds(&|t| t.ends_with(text))
        );
    }
    let count = database.query_row("SELECT count(*) FROM texts", [], |row| row.get::<_, i64>(0));
    assert_eq!(count, Ok(i64::try_from(all.len()).unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_pattern_finds_what_contains_the_text(all in proptest::collection::vec("[%_!a\\\\\\[\\]'-]{0,5}", 1..8), text in "[%_!a\\\\\\[\\]'-]{0,3}") {
        let database = texts(&all);
        let holds: Vec<_> = all.iter().filter(|t| t.contains(&text)).cloned().collect();
        prop_assert_eq!(found(&database, &LikePattern::contains(&text)), holds);
    }

    #[test]
    fn an_identifier_is_what_its_pattern_says(text in "\\PC{0,5}|[a-zA-Z0-9_]{0,66}") {
        let pattern = regex::Regex::new(r"\A[A-Za-z_][A-Za-z0-9_]{0,62}\z").unwrap();
        prop_assert_eq!(SqlIdent::new(&text).is_ok(), pattern.is_match(&text));
    }
}
