use bartizan_core::{call::Subject, printable};

use super::{HoneyTool, definition};
use crate::{
    Catalog, Operation, RbacConfigError, Rule,
    asker::Asker,
    roles::{RoleSet, Roles},
    rule::Target,
};

/// Most decoys of a policy.
const MOST: usize = 32;
/// Longest name, in bytes.
const NAME_BYTES: usize = 128;

/// The decoys of a policy, in the order of their names.
#[derive(Debug, Default)]
pub(crate) struct Honey(Box<[Decoy]>);

#[derive(Debug)]
pub(crate) struct Decoy {
    pub(crate) name: Box<str>,
    shown_to: RoleSet,
    /// As lists show it; `None` if the server lists it itself.
    pub(crate) definition: Option<Box<str>>,
}

impl Honey {
    /// # Errors
    ///
    /// If a name is none, is there twice or one that the policy takes for a tool of the server's, a role is not
    /// declared, or a definition is none.
    pub(crate) fn new(
        tools: &[HoneyTool],
        rules: &[Rule],
        annotated: &[Catalog],
        roles: &Roles,
    ) -> Result<Self, RbacConfigError> {
        let error = |name: &str, problem: String| RbacConfigError::new("honey tool", name, problem);
        if let Some(tool) = tools.get(MOST) {
            let problem = "is one too many: a policy has at most 32".to_owned();
            return Err(error(&tool.name, problem));
        }
        let mut decoys: Vec<Decoy> = Vec::new();
        for tool in tools {
            let name = &*tool.name;
            let problem = |problem: &str| Err(error(name, problem.to_owned()));
            if !is_name(name) {
                return problem("is not 1 to 128 characters of `A-Z a-z 0-9 _ - . /`");
            }
            if decoys.iter().any(|decoy| *decoy.name == *name) {
                return problem("is there twice");
            }
            let is_of = |rule: &&Rule| matches!(&rule.target, Target::Tool(tool) if tool == name);
            if let Some(rule) = rules.iter().find(is_of) {
                let rule = rule.name();
                let rule = printable(&rule, 120);
                let named = format!("is named by rule `{rule}`, as a tool that there is");
                return Err(error(name, named));
            }
            if annotated
                .iter()
                .flat_map(Catalog::annotations)
                .any(|(tool, _)| tool == name)
            {
                return problem("is annotated, as a tool that there is");
            }
            let mut shown_to = RoleSet::default();
            for role in &tool.shown_to {
                let Some(place) = roles.place(role) else {
                    let problem = format!("is not declared, and shown honey tool `{name}`");
                    return Err(RbacConfigError::new("role", role, problem));
                };
                shown_to.insert(place);
            }
            let definition = tool.definition.as_deref();
            let definition = definition.map(|json| definition::checked(name, json));
            decoys.push(Decoy {
                name: name.into(),
                shown_to,
                definition: definition
                    .transpose()
                    .map_err(|problem| error(name, problem))?,
            });
        }
        decoys.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Self(decoys.into()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn of(&self, name: &str) -> Option<&Decoy> {
        let place = self.0.binary_search_by(|decoy| (*decoy.name).cmp(name));
        place.ok().and_then(|place| self.0.get(place))
    }

    /// The one that the operation would call.
    pub(crate) fn touched_by(&self, operation: &Operation<'_>) -> Option<&Decoy> {
        match operation.subject() {
            Some((Subject::Tool, name)) => self.of(name),
            _ => None,
        }
    }

    /// Those that lists show whom they are for.
    pub(super) fn shown<'a>(&'a self, asker: &Asker<'_>) -> impl Iterator<Item = &'a Decoy> {
        self.0.iter().filter(|decoy| decoy.is_shown_to(asker))
    }
}

impl Decoy {
    /// A list that shows more than the credential is good for would betray it.
    fn is_shown_to(&self, asker: &Asker<'_>) -> bool {
        let operation = Operation::tool(&self.name);
        self.shown_to.meets(&asker.roles) && operation.is_within_limits(asker.principal)
    }
}

fn is_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"_-./".contains(&b);
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(legal)
}
