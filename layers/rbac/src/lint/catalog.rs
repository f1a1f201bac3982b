use bartizan_core::call::Tokens;

use super::LintError;
use crate::{
    ToolAnnotations,
    lists::{
        List,
        json::{Broken, Seen, array, object, string},
    },
};

/// What a server offers, for [`Policy::lint`](crate::Policy::lint). What it was told nothing of is not
/// looked at: without any prompt, no rule for prompts is said to match nothing.
///
/// ```
/// use bartizan_rbac::Catalog;
/// let mut catalog = Catalog::default().tool("read_note").method("acme/reindex");
/// catalog.read(r#"{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"review"}]}}"#)?;
/// # Ok::<(), bartizan_rbac::LintError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Catalog {
    pub(super) tools: Option<Vec<String>>,
    pub(super) prompts: Option<Vec<String>>,
    pub(super) resources: Option<Vec<String>>,
    pub(super) templates: Option<Vec<String>>,
    pub(super) methods: Vec<String>,
    /// Of each tool.
    annotations: Vec<(String, ToolAnnotations)>,
}

impl Catalog {
    /// A tool, by its name.
    pub fn tool(self, name: &str) -> Self {
        self.annotated_tool(name, ToolAnnotations::default())
    }

    /// A tool, with what is to be believed of it, see [`PolicyBuilder::annotated_tools`].
    ///
    /// [`PolicyBuilder::annotated_tools`]: crate::PolicyBuilder::annotated_tools
    pub fn annotated_tool(mut self, name: &str, annotations: ToolAnnotations) -> Self {
        self.annotations.push((name.to_owned(), annotations));
        self.with(List::Tools, name)
    }

    /// A prompt, by its name.
    pub fn prompt(self, name: &str) -> Self {
        self.with(List::Prompts, name)
    }

    /// A resource, by its URI.
    pub fn resource(self, uri: &str) -> Self {
        self.with(List::Resources, uri)
    }

    /// Resources, by their URI template.
    pub fn resource_template(self, uri_template: &str) -> Self {
        self.with(List::ResourceTemplates, uri_template)
    }

    /// A method of the server's own. Those of MCP are known.
    pub fn method(mut self, method: &str) -> Self {
        self.methods.push(method.to_owned());
        self
    }

    /// Adds what an answer to `tools/list`, `prompts/list`, `resources/list` or
    /// `resources/templates/list` lists: the JSON-RPC message, or its result. Of several pages, each.
    /// Ask the server itself for it, since what passed the layer shows only what one principal sees.
    /// Annotations of tools are read too.
    ///
    /// # Errors
    ///
    /// [`LintError`] if it is no such answer, or an annotation is no truth value.
    pub fn read(&mut self, answer: &str) -> Result<(), LintError> {
        let lists = [
            "tools",
            "resources",
            "resourceTemplates",
            "prompts",
            "result",
        ];
        let mut found = Vec::new();
        let mut json = Tokens::of(answer);
        object(
            &mut json,
            &mut Seen::default(),
            &lists,
            |json, place| match place.map(|place| List::ALL.get(place).copied()) {
                Some(Some(list)) => names(json, list, &mut found),
                Some(None) => object(
                    json,
                    &mut Seen::default(),
                    &lists,
                    |json, place| match place.and_then(|place| List::ALL.get(place).copied()) {
                        Some(list) => names(json, list, &mut found),
                        None => Ok(json.skip()?),
                    },
                ),
                None => Ok(json.skip()?),
            },
        )
        .map_err(|broken| LintError(broken.0))?;
        if json.peek().is_some() {
            return Err(LintError("is not JSON"));
        }
        if found.is_empty() {
            return Err(LintError("has no list"));
        }
        for (list, elements) in found {
            if list == List::Tools {
                self.annotations.extend(elements.iter().cloned());
            }
            let names = elements.into_iter().map(|(name, _)| name);
            self.known(list).extend(names);
        }
        Ok(())
    }

    pub(crate) fn annotations(&self) -> impl Iterator<Item = (&str, ToolAnnotations)> {
        let annotations = self.annotations.iter();
        annotations.map(|(name, annotations)| (&**name, *annotations))
    }

    fn with(mut self, list: List, name: &str) -> Self {
        self.known(list).push(name.to_owned());
        self
    }

    fn known(&mut self, list: List) -> &mut Vec<String> {
        let known = match list {
            List::Tools => &mut self.tools,
            List::Prompts => &mut self.prompts,
            List::Resources => &mut self.resources,
            List::ResourceTemplates => &mut self.templates,
        };
        known.get_or_insert_default()
    }
}

type Found = Vec<(List, Vec<(String, ToolAnnotations)>)>;

fn names(json: &mut Tokens<'_>, list: List, found: &mut Found) -> Result<(), Broken> {
    let mut names = Vec::new();
    array(json, |json| {
        let (mut name, mut annotated) = (None, ToolAnnotations::default());
        let known = [list.key(), "annotations"];
        object(json, &mut Seen::default(), &known, |json, place| {
            match place {
                Some(0) => name = Some(string(json, str::to_owned)?),
                // Resources have others.
                Some(_) if list == List::Tools => annotated = annotations(json)?,
                _ => json.skip()?,
            }
            Ok(())
        })?;
        let name = name.ok_or(Broken("has an element without a name"))?;
        names.push((name, annotated));
        Ok(())
    })?;
    found.push((list, names));
    Ok(())
}

fn annotations(json: &mut Tokens<'_>) -> Result<ToolAnnotations, Broken> {
    let mut read = ToolAnnotations::default();
    if json.peek() == Some(b'n') {
        json.literal("null")?;
        return Ok(read);
    }
    let known = [
        "readOnlyHint",
        "destructiveHint",
        "idempotentHint",
        "openWorldHint",
    ];
    object(json, &mut Seen::default(), &known, |json, place| {
        let hint = match place {
            Some(0) => &mut read.read_only,
            Some(1) => &mut read.destructive,
            Some(2) => &mut read.idempotent,
            Some(_) => &mut read.open_world,
            None => return Ok(json.skip()?),
        };
        match json.peek() {
            Some(b't') => {
                json.literal("true")?;
                *hint = true;
            }
            Some(b'f') => {
                json.literal("false")?;
                *hint = false;
            }
            // To some servers that is how nothing is said.
            Some(b'n') => json.literal("null")?,
            _ => return Err(Broken("has an annotation that is no truth value")),
        }
        Ok(())
    })?;
    Ok(read)
}
