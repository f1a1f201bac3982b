use std::collections::HashMap;

use bartizan_core::CallKind;
use cedar_policy::{Entity, EntityUid, Schema};

use super::{CedarError, uid};
use crate::Question;

/// The actions of the schema, by the method that each is for.
#[derive(Debug)]
pub(super) struct Actions {
    by_method: HashMap<String, Entity>,
    other: Entity,
    response: Entity,
    stream: Entity,
    end_session: Entity,
}

/// Actions that are no methods: a request with such a method is another.
const NO_METHODS: [&str; 9] = [
    "lifecycle",
    "list",
    "read",
    "call",
    "tasks",
    "response",
    "stream",
    "end_session",
    "other",
];

impl Actions {
    pub(super) fn of(schema: &Schema) -> Result<Self, CedarError> {
        let broken = |problem: &dyn std::fmt::Display| CedarError::new("schema", problem);
        let entities = schema.action_entities().map_err(|error| broken(&error))?;
        let named = |name: &str| {
            let entity = entities.get(&uid("Action", name)?);
            entity
                .cloned()
                .ok_or_else(|| broken(&"has not the actions"))
        };
        let (other, response) = (named("other")?, named("response")?);
        let (stream, end_session) = (named("stream")?, named("end_session")?);
        let by_method = entities.iter().filter_map(|entity| {
            let id = entity.uid().id().unescaped().to_owned();
            let is_method = !NO_METHODS.contains(&&*id);
            is_method.then(|| (id, entity.clone()))
        });
        Ok(Self {
            by_method: by_method.collect(),
            other,
            response,
            stream,
            end_session,
        })
    }

    /// What it is asked about. A notification of a request's method is the same action, since a server may
    /// act on it.
    pub(super) fn action(&self, question: &Question<'_>) -> &Entity {
        match question.kind() {
            CallKind::Response => &self.response,
            CallKind::Stream => &self.stream,
            CallKind::EndSession => &self.end_session,
            _ => self.by_method.get(question.method()).unwrap_or(&self.other),
        }
    }
}

pub(super) fn is_call(action: &EntityUid) -> bool {
    action.id().unescaped() == "tools/call"
}
