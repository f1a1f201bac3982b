use crate::Rule;

/// A tool that is none, and is there to be tried: who calls it is found out; see
/// [the crate's documentation](crate#honey-tools).
///
/// A call to it never passes, whoever makes it, and is answered as one to a tool that does not exist. The request's
/// audit record is `critical`, and names the decoy.
///
/// ```
/// use bartizan_rbac::{HoneyTool, Policy};
/// let decoy = HoneyTool::new("export_all_customers")
///     .shown_to(["developer"])
///     .definition(
///         r#"{"name":"export_all_customers","description":"Exports all customers","inputSchema":{"type":"object"}}"#,
///     );
/// assert!(Policy::enterprise().honey_tool(decoy).build().is_ok());
/// // A definition of another name does not build.
/// let decoy = HoneyTool::new("export").definition(r#"{"name":"exprt","description":"","inputSchema":{}}"#);
/// assert!(Policy::enterprise().honey_tool(decoy).build().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct HoneyTool {
    pub(crate) name: String,
    pub(crate) shown_to: Vec<String>,
    pub(crate) definition: Option<String>,
}

impl HoneyTool {
    /// A decoy of this name: 1 to 128 of `A-Z a-z 0-9 _ - . /`. Nobody is shown it, so that only who guesses it, or finds
    /// it where it was left, calls it.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            shown_to: Vec::new(),
            definition: None,
        }
    }

    /// Shows it in lists to whoever has one of these roles, itself or through a role that includes it, unless the
    /// credential is good for other tools only.
    pub fn shown_to<'a>(mut self, roles: impl IntoIterator<Item = &'a str>) -> Self {
        self.shown_to.extend(roles.into_iter().map(str::to_owned));
        self
    }

    /// What stands in lists of it, as JSON text: an object with this `name`, a `description` and an `inputSchema`, of at
    /// most 16 KiB. It is shown as it is written, but for breaks between lines and the space after them: write it as the
    /// server writes its own.
    ///
    /// Without one it is the server that lists it, to whom it is [shown](Self::shown_to); others do not see it.
    pub fn definition(mut self, json: &str) -> Self {
        self.definition = Some(json.to_owned());
        self
    }

    /// What keeps everybody from it.
    pub(crate) fn rule(&self) -> Rule {
        let rule = Rule::tool(&self.name).deny().hidden();
        Rule {
            honey: true,
            ..rule.named(&format!("honey:{}", self.name))
        }
    }
}
