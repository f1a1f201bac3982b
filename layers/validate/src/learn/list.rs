//! What a page of a list says.

use std::time::Duration;

use jsonschema::json::{JsonNumber, Node, Object};

use super::{
    LIST_LIMITS,
    catalog::{Catalog, Tool},
};
use crate::{
    Fingerprint,
    document::{Document, Part, Refused},
};

/// A page of the list of tools.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) tools: Vec<(Box<str>, Tool)>,
    pub(super) cursor: Option<Box<str>>,
    pub(super) kept: Option<Duration>,
}

/// Why an answer is no page, for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoPage(pub(crate) &'static str);

/// What the server says to one caller, and not to another.
pub(super) const REFUSED: NoPage = NoPage("is refused");

impl NoPage {
    /// Whether it tells of who asked, and nothing of the server.
    pub(super) fn is_callers(self) -> bool {
        self == REFUSED
    }
}

impl Page {
    /// Reads the answer to a request with this id. `None` if it is another message, as on a stream.
    pub(super) fn read(text: &[u8], id: Option<&str>) -> Result<Option<Self>, NoPage> {
        let text = std::str::from_utf8(text).map_err(|_| NoPage("is not UTF-8"))?;
        let document = Document::read(text, &LIST_LIMITS).map_err(|refused| match refused {
            Refused::Broken => NoPage("is no JSON"),
            Refused::Limit(_) => NoPage("is too large or too deep"),
        })?;
        let message = document.root();
        if id.is_some()
            && member(message, "id")
                .and_then(|own| own.as_string())
                .as_deref()
                != id
        {
            return Ok(None);
        }
        if document.repeats_a_member() {
            return Err(NoPage("has a member twice"));
        }
        let result = member(message, "result").ok_or(NoPage("is an error"))?;
        // N-20
        let kind = member(result, "resultType").and_then(|kind| kind.as_string());
        if kind.is_some_and(|kind| kind != "complete") {
            return Err(NoPage("is not complete"));
        }
        let tools = member(result, "tools").and_then(|tools| tools.as_array());
        let tools = tools.ok_or(NoPage("has no list of tools"))?;
        let cursor = member(result, "nextCursor").filter(|cursor| !cursor.is_null());
        let kept = member(result, "ttlMs").and_then(|ttl| ttl.as_number());
        Ok(Some(Self {
            tools: tools.map(tool).collect::<Result<_, _>>()?,
            cursor: match cursor {
                None => None,
                Some(cursor) => {
                    let text = cursor.as_string();
                    Some((&*text.ok_or(NoPage("has a cursor that is no string"))?).into())
                }
            },
            kept: kept.and_then(|ttl| ttl.as_u64()).map(Duration::from_millis),
        }))
    }

    /// Whether a list that passes has a tool that is not known so.
    pub(super) fn differs(&self, known: &Catalog) -> bool {
        self.tools.iter().any(|(name, tool)| {
            let known = known.get(name);
            known.is_none_or(|known| known.tool.fingerprint != tool.fingerprint)
        })
    }
}

fn tool(tool: Part<'_>) -> Result<(Box<str>, Tool), NoPage> {
    let name = member(tool, "name").and_then(|name| name.as_string());
    let name = name.ok_or(NoPage("has a tool without a name"))?;
    let input = member(tool, "inputSchema").ok_or(NoPage("has a tool without a schema"))?;
    let fingerprint = Fingerprint::of(tool).ok_or(NoPage("has a tool that is none"))?;
    let output = member(tool, "outputSchema").filter(|output| !output.is_null());
    let output = output.map(|output| output.to_value().to_string());
    Ok((
        (&*name).into(),
        Tool::new(fingerprint, input.to_value().to_string(), output),
    ))
}

pub(super) fn member<'a>(part: Part<'a>, name: &str) -> Option<Part<'a>> {
    part.as_object()?.get(&name.into())
}
