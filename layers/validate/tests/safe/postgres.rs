//! What the guide says about `sqlx`, in a real PostgreSQL: the wrong way is open, the right way is closed.

use bartizan_kit::PostgresServer;
use bartizan_validate::safe::sql::{LikePattern, SqlDialect, SqlIdent, SqlOrder};
use sqlx::{
    Connection as _, Executor as _, PgConnection, Postgres, QueryBuilder,
    postgres::PgConnectOptions,
};

use crate::vectors::vectors;

const SQL: &str = include_str!("../../../../tests/vectors/safe/sql.txt");

async fn connect(server: &PostgresServer) -> PgConnection {
    let url = server.url();
    let folder = url
        .strip_prefix("host=")
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let options = PgConnectOptions::new_without_pgpass()
        .socket(folder)
        .username("bartizan")
        .database("postgres");
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    connection
        .execute(
            "CREATE TEMP TABLE users (name TEXT, password TEXT, \"order\" INT);
             INSERT INTO users VALUES ('ann', 'qz7', 1), ('bob', 'ab1', 2)",
        )
        .await
        .unwrap();
    connection
}

async fn names(
    connection: &mut PgConnection,
    mut statement: QueryBuilder<'_, Postgres>,
) -> Vec<String> {
    let found = statement.build_query_scalar().fetch_all(connection).await;
    found.unwrap_or_else(|e| panic!("{}: {e}", statement.sql()))
}

#[tokio::test]
async fn what_is_pushed_instead_of_bound_is_read_as_a_statement() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let connection = &mut connect(&server).await;
    let asked = "' UNION SELECT password FROM users WHERE name = 'ann' --";
    let mut pushed = QueryBuilder::new("SELECT name FROM users WHERE name = '");
    pushed.push(asked).push("'");
    assert_eq!(names(connection, pushed).await, ["qz7"]);
    let mut bound = QueryBuilder::new("SELECT name FROM users WHERE name = ");
    bound.push_bind(asked);
    assert!(names(connection, bound).await.is_empty());
    // A wildcard that is bound is one all the same.
    let mut bound = QueryBuilder::new("SELECT name FROM users WHERE name LIKE ");
    bound.push_bind("%");
    assert_eq!(names(connection, bound).await.len(), 2);
    assert!(
        found(connection, &LikePattern::contains("%"))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_name_that_is_pushed_in_quotes_is_a_name() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let connection = &mut connect(&server).await;
    let column = SqlIdent::new("order").unwrap(); // a keyword
    for (order, names_) in [
        (SqlOrder::Asc, ["ann", "bob"]),
        (SqlOrder::Desc, ["bob", "ann"]),
    ] {
        let mut sorted = QueryBuilder::new("SELECT name FROM users ORDER BY ");
        sorted.push(column.quoted(SqlDialect::Postgres)).push(" ");
        sorted.push(order);
        assert_eq!(names(connection, sorted).await, names_);
    }
    // Without quotes PostgreSQL reads a keyword, or another case than was written.
    let mut sorted = QueryBuilder::<Postgres>::new("SELECT name FROM users ORDER BY ");
    sorted.push(&column);
    assert!(sorted.build().execute(&mut *connection).await.is_err());
}

#[tokio::test]
async fn what_attacks_as_text_is_found_as_text_and_nothing_else() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let connection = &mut connect(&server).await;
    let all = vectors(SQL).into_iter().map(|(_, text)| text);
    // PostgreSQL keeps no NUL.
    let all: Vec<String> = all.filter(|text| !text.contains('\0')).collect();
    let mut delete = QueryBuilder::<Postgres>::new("DELETE FROM users");
    delete.build().execute(&mut *connection).await.unwrap();
    let mut insert = QueryBuilder::<Postgres>::new("INSERT INTO users (name) SELECT unnest(");
    insert.push_bind(&all).push("::TEXT[])");
    insert.build().execute(&mut *connection).await.unwrap();
    for text in &all {
        let mut expected: Vec<_> = all.iter().filter(|it| it.contains(text)).collect();
        expected.sort();
        let found = found(connection, &LikePattern::contains(text)).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{text}");
    }
}

async fn found(connection: &mut PgConnection, pattern: &LikePattern) -> Vec<String> {
    let mut statement = QueryBuilder::new("SELECT name FROM users WHERE name LIKE ");
    statement.push_bind(pattern.as_str()).push(" ");
    statement.push(LikePattern::ESCAPE);
    statement.push(" ORDER BY name COLLATE \"C\"");
    names(connection, statement).await
}
