use super::{Attribute, Condition, Kind, Literal, NumberRange, Test};

/// An argument that a [`Condition`] speaks of. Made by [`Condition::argument`].
///
/// The argument must be there, once, by exactly this name, and be of the right type: a condition does
/// not hold of an argument that is absent (unless [`or_absent`](Self::or_absent)), `null`, of another
/// type, repeated, or beside one that differs from it only in case. Names and texts are compared once
/// unescaped, character for character.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Argument {
    /// The argument's name, then those of members of objects inside it.
    pub(crate) path: Vec<String>,
    /// Each element of the array there, and which member of it.
    pub(crate) each: Option<Vec<String>>,
    pub(crate) or_absent: bool,
    /// Whether `each` was said more than once.
    pub(crate) is_nested: bool,
}

impl Argument {
    pub(super) fn new(name: &str) -> Self {
        Self {
            path: vec![name.to_owned()],
            each: None,
            or_absent: false,
            is_nested: false,
        }
    }

    /// The member of this name of the object that the argument, or each element of it, is.
    pub fn member(mut self, name: &str) -> Self {
        let path = self.each.as_mut().unwrap_or(&mut self.path);
        path.push(name.to_owned());
        self
    }

    /// Each element of the array that the argument is, which must have one: to some servers an empty
    /// list means all. Said once.
    pub fn each(mut self) -> Self {
        self.is_nested |= self.each.is_some();
        self.each.get_or_insert_default();
        self
    }

    /// The condition holds as well if it is absent, or a list of [`each`](Self::each) is empty. Also of a
    /// call that names the argument by another name which its server knows: say this only where the
    /// server has no other.
    pub fn or_absent(mut self) -> Self {
        self.or_absent = true;
        self
    }

    /// It is the person's subject. Subjects are an issuer's: see [`Condition::issuer`].
    pub fn is_subject(self) -> Condition {
        self.is(Attribute::Subject)
    }

    /// It is the principal's tenant.
    pub fn is_tenant(self) -> Condition {
        self.is(Attribute::Tenant)
    }

    /// It is the OAuth client that the principal acts through, or is.
    pub fn is_client(self) -> Condition {
        self.is(Attribute::Client)
    }

    /// It is this of the principal.
    pub fn is(self, attribute: Attribute) -> Condition {
        self.that(Test::Is(attribute))
    }

    /// It is one of these texts or truth values, exactly: `["eu", "us"]`, `[true]`. At most 1024.
    pub fn one_of<L: Into<Literal>>(self, literals: impl IntoIterator<Item = L>) -> Condition {
        let literals = literals.into_iter().map(Into::into);
        self.that(Test::OneOf(literals.collect()))
    }

    /// It is a number within these bounds, which are within: `1..=1000`, `..=1000`, `0..`.
    ///
    /// Numbers are compared as they are written, to the last digit: `1e3` and `1000.0` are 1000, and
    /// `1000.0000000000000001` is more. What is beyond all doubles (`1e400`) is within nothing.
    pub fn between(self, range: impl Into<NumberRange>) -> Condition {
        self.that(Test::Between(range.into()))
    }

    /// It is a text that begins so. Not if it has segments of dots between slashes or backslashes, or
    /// what may be decoded to some. For paths use [`within`](Self::within), for URIs
    /// [`matches_uri`](Self::matches_uri).
    pub fn starts_with(self, prefix: &str) -> Condition {
        self.that(Test::StartsWith(prefix.to_owned()))
    }

    /// It is a text of this pattern, in which `*` is any run of characters, slashes too. Not if it has
    /// segments of dots, as with [`starts_with`](Self::starts_with).
    pub fn matches(self, pattern: &str) -> Condition {
        self.that(Test::Matches(pattern.to_owned()))
    }

    /// It is the path of this directory, or one below: `/srv/public`, or `docs` where the server's paths
    /// have no root.
    ///
    /// Only a path that can be read in one way: without segments that are empty or dots or end with a dot
    /// or space, backslashes, control characters, and encoded dots and slashes. Links are the server's
    /// to mind.
    pub fn within(self, directory: &str) -> Condition {
        self.that(Test::Within(directory.to_owned()))
    }

    /// It is a URI that [`Rule::resource`](crate::Rule::resource) of this pattern speaks of, and that can
    /// be read in one way only (TA-6).
    pub fn matches_uri(self, pattern: &str) -> Condition {
        self.that(Test::MatchesUri(pattern.to_owned()))
    }

    /// It is an array of at most so many elements.
    pub fn at_most_items(self, most: usize) -> Condition {
        self.that(Test::AtMostItems(most))
    }

    pub(crate) fn that(self, test: Test) -> Condition {
        Condition(Kind::Argument(self, test))
    }
}
