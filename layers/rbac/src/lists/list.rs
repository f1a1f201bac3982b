use bartizan_core::{Call, CallKind};

use crate::Operation;

/// The lists of MCP that are filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Tools,
    Resources,
    ResourceTemplates,
    Prompts,
}

/// The members of a result that are looked at: the lists by their place, then the cache's scope.
pub(super) const RESULT: &[&str] = {
    let [result @ .., _] = &PAGE;
    result
};

/// The same where it matters whether a page is the last one.
pub(super) const PAGE: [&str; 6] = [
    "tools",
    "resources",
    "resourceTemplates",
    "prompts",
    "cacheScope",
    "nextCursor",
];

impl List {
    pub(crate) const ALL: [Self; 4] = [
        Self::Tools,
        Self::Resources,
        Self::ResourceTemplates,
        Self::Prompts,
    ];

    /// The list that a request asks for.
    pub(super) fn asked_by(call: &Call) -> Option<Self> {
        if call.kind() != CallKind::Request {
            return None;
        }
        match call.method() {
            "tools/list" => Some(Self::Tools),
            // A directory's is one of what is in it, in the same shape.
            "resources/list" | "resources/directory/read" => Some(Self::Resources),
            "resources/templates/list" => Some(Self::ResourceTemplates),
            "prompts/list" => Some(Self::Prompts),
            _ => None,
        }
    }

    /// The member of the result that holds it.
    pub(super) fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resourceTemplates",
            Self::Prompts => "prompts",
        }
    }

    /// The member of an element by which it is called.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::ResourceTemplates => "uriTemplate",
        }
    }

    /// What a client would do with an element.
    pub(super) fn operation(self, name: &str) -> Operation<'_> {
        let operation = match self {
            Self::Tools => Operation::tool(name),
            Self::Resources => Operation::resource(name),
            Self::ResourceTemplates => Operation::resource_template(name),
            Self::Prompts => Operation::prompt(name),
        };
        operation.with_any_arguments()
    }
}
