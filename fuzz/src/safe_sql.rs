use bartizan_validate::safe::sql::{LikePattern, SqlDialect, SqlIdent};

/// What is searched for and what is searched, with a line break between them.
///
/// A pattern finds what holds the text, by a naive reading of `LIKE`; an identifier has nothing that ends its quotes.
pub fn safe_sql(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let (sought, searched) = text.split_once('\n').unwrap_or((text, text));
    if sought.len() + searched.len() < 64 {
        let matches = |pattern: LikePattern| {
            let pattern: Vec<char> = pattern.as_str().chars().collect();
            like(&pattern, &searched.chars().collect::<Vec<_>>())
        };
        assert_eq!(
            matches(LikePattern::contains(sought)),
            searched.contains(sought)
        );
        assert_eq!(
            matches(LikePattern::starts_with(sought)),
            searched.starts_with(sought)
        );
        assert_eq!(
            matches(LikePattern::ends_with(sought)),
            searched.ends_with(sought)
        );
    }
    if let Ok(ident) = SqlIdent::new(sought) {
        for dialect in [
            SqlDialect::Postgres,
            SqlDialect::Sqlite,
            SqlDialect::MySql,
            SqlDialect::MsSql,
        ] {
            let quoted = ident.quoted(dialect);
            assert_eq!(&quoted[1..quoted.len() - 1], sought);
        }
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        assert!(
            sought.bytes().all(is_word) && !sought.is_empty(),
            "{sought:?}"
        );
    }
}

/// `LIKE … ESCAPE '!'`, as the standard says. The bracket is a character like any other, as it is once it is escaped.
fn like(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['!', c, rest @ ..] => text.first() == Some(c) && like(rest, &text[1..]),
        ['!'] => panic!("an escape of nothing"),
        ['%', rest @ ..] => (0..=text.len()).any(|at| like(rest, &text[at..])),
        ['_', rest @ ..] => !text.is_empty() && like(rest, &text[1..]),
        [c, rest @ ..] => text.first() == Some(c) && like(rest, &text[1..]),
    }
}
