use std::collections::HashMap;

use foldhash::quality::RandomState;

use crate::{Catalog, RbacConfigError};

/// What a server says of a tool of its own, see [`Rule::annotated`](crate::Rule::annotated).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Annotation {
    /// `readOnlyHint`.
    ReadOnly,
    /// `destructiveHint`, which means nothing of a tool that only reads.
    Destructive,
    /// `idempotentHint`.
    Idempotent,
    /// `openWorldHint`.
    OpenWorld,
}

/// The annotations of one tool. What is not said is as MCP has it, which is the worst: it writes,
/// destroys, not the same twice, in an open world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, default))]
#[non_exhaustive]
pub struct ToolAnnotations {
    /// It changes nothing. By default false.
    pub read_only: bool,
    /// It may destroy, and not only add. By default true.
    pub destructive: bool,
    /// To call it again with the same arguments changes nothing more. By default false.
    pub idempotent: bool,
    /// It may reach whatever there is. By default true.
    pub open_world: bool,
}

impl Annotation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::Destructive => "destructive",
            Self::Idempotent => "idempotent",
            Self::OpenWorld => "open_world",
        }
    }
}

impl Default for ToolAnnotations {
    fn default() -> Self {
        Self {
            read_only: false,
            destructive: true,
            idempotent: false,
            open_world: true,
        }
    }
}

impl ToolAnnotations {
    /// Whether the tool is so annotated.
    pub fn has(&self, annotation: Annotation) -> bool {
        match annotation {
            Annotation::ReadOnly => self.read_only,
            Annotation::Destructive => self.destructive && !self.read_only,
            Annotation::Idempotent => self.idempotent,
            Annotation::OpenWorld => self.open_world,
        }
    }
}

/// The annotations that a policy was given with it, by tool.
#[derive(Debug, Default)]
pub(crate) struct Annotations(HashMap<Box<str>, ToolAnnotations, RandomState>);

impl Annotations {
    /// # Errors
    ///
    /// If a tool is annotated twice, and not alike.
    pub(crate) fn new(catalogs: &[Catalog]) -> Result<Self, RbacConfigError> {
        let mut all = HashMap::<_, _, RandomState>::default();
        for (name, annotations) in catalogs.iter().flat_map(Catalog::annotations) {
            let earlier = all.insert(Box::from(name), annotations);
            if earlier.is_some_and(|earlier| earlier != annotations) {
                let problem = "is annotated twice, and not alike";
                return Err(RbacConfigError::new("tool", name, problem));
            }
        }
        Ok(Self(all))
    }

    /// Those of a tool; of one that is not known, the worst.
    pub(crate) fn of(&self, tool: &str) -> ToolAnnotations {
        self.0.get(tool).copied().unwrap_or_default()
    }
}
