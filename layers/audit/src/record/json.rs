use std::fmt;

/// JSON within a record: visible ASCII, without a line break, redacted and bounded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// Of what a redactor wrote.
    pub(crate) const fn new(json: &'a str) -> Self {
        Self(json)
    }

    /// The JSON text.
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
