/// A pattern for `LIKE` in which what the caller wrote stands for itself, and only the code has wildcards.
///
/// It is a parameter like any other value; the statement names the character that it escapes with:
///
/// ```
/// use bartizan_validate::safe::sql::LikePattern;
///
/// let statement = format!("SELECT name FROM files WHERE name LIKE ?1 {}", LikePattern::ESCAPE);
/// assert_eq!(statement, "SELECT name FROM files WHERE name LIKE ?1 ESCAPE '!'");
///
/// assert_eq!(LikePattern::contains("100%_!").as_str(), "%100!%!_!!%");
/// assert_eq!(LikePattern::starts_with("").as_str(), "%");
/// ```
///
/// A pattern that begins with a wildcard reads the whole table: bound what is searched, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LikePattern(String);

impl LikePattern {
    /// What follows the pattern in the statement. Not a backslash, which some databases also read in the
    /// literal that names it.
    pub const ESCAPE: &'static str = "ESCAPE '!'";

    /// The text, anywhere.
    pub fn contains(text: &str) -> Self {
        Self(format!("%{}%", escaped(text)))
    }

    /// The text, at the beginning.
    pub fn starts_with(text: &str) -> Self {
        Self(format!("{}%", escaped(text)))
    }

    /// The text, at the end.
    pub fn ends_with(text: &str) -> Self {
        Self(format!("%{}", escaped(text)))
    }

    /// The pattern, to be bound as a parameter.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // The bracket begins a set of characters in SQL Server.
        if matches!(c, '!' | '%' | '_' | '[') {
            escaped.push('!');
        }
        escaped.push(c);
    }
    escaped
}
