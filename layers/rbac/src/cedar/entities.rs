//! Who asks, and what it acts on, as entities.

use std::collections::{HashMap, HashSet};

use bartizan_core::{PrincipalKind, call::Subject};
use cedar_policy::{
    Entities, Entity, EntityId, EntityTypeName, EntityUid, EvalResult, Policy, PolicySet,
    PrincipalConstraint, ResourceConstraint, RestrictedExpression, Schema,
};

use super::{CedarError, uid};
use crate::{EngineError, Question};

/// Most roles, and most scopes, of a principal.
const MOST: usize = 1024;

/// The types of entities.
#[derive(Debug)]
pub(super) struct Types {
    user: EntityTypeName,
    service: EntityTypeName,
    role: EntityTypeName,
    tool: EntityTypeName,
    prompt: EntityTypeName,
    resource: EntityTypeName,
    task: EntityTypeName,
    anonymous: Entity,
    server: Entity,
}

impl Types {
    pub(super) fn new() -> Result<Self, CedarError> {
        let named = |name: &str| Ok(uid(name, "")?.type_name().clone());
        Ok(Self {
            user: named("User")?,
            service: named("Service")?,
            role: named("Role")?,
            tool: named("Tool")?,
            prompt: named("Prompt")?,
            resource: named("Resource")?,
            task: named("Task")?,
            anonymous: Entity::with_uid(uid("Anonymous", "anonymous")?),
            server: Entity::with_uid(uid("Server", "server")?),
        })
    }
}

/// What operators say of roles, tools, prompts and groups.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Each with its ancestors.
    entities: HashMap<EntityUid, (Entity, Vec<EntityUid>)>,
    /// Those that policies name, and so may look at whatever is asked, with their ancestors.
    named: HashMap<EntityUid, Entity>,
}

impl Known {
    pub(super) fn of(
        json: &str,
        schema: &Schema,
        policies: &PolicySet,
    ) -> Result<Self, CedarError> {
        let all = Entities::from_json_str(json, Some(schema));
        let all = all.map_err(|error| CedarError::new("entities", error))?;
        let mut known = Self::default();
        for entity in all.iter() {
            let uid = entity.uid();
            let wrong = |problem| Err(CedarError::new(format!("entity `{uid}`"), problem));
            match uid.type_name().basename() {
                "Action" => continue,
                "Role" | "Group" => {}
                "Tool" | "Prompt" => {
                    let name = entity.attr("name").and_then(Result::ok);
                    let id = uid.id().unescaped();
                    if !matches!(name, Some(EvalResult::String(name)) if name == id) {
                        return wrong("has another `name` than its id");
                    }
                }
                _ => return wrong("comes with requests: roles, groups, tools and prompts do not"),
            }
            let ancestors = all.ancestors(&uid).into_iter().flatten().cloned();
            let ancestors = ancestors.collect();
            known.entities.insert(uid, (entity.clone(), ancestors));
        }
        for uid in policies.policies().flat_map(looked_at) {
            known.named.extend(known.family(&uid));
        }
        Ok(known)
    }

    /// It, if it is known, and all its ancestors that are.
    fn family(&self, uid: &EntityUid) -> Vec<(EntityUid, Entity)> {
        let Some((entity, ancestors)) = self.entities.get(uid) else {
            return Vec::new();
        };
        let of = |uid: &EntityUid| Some((uid.clone(), self.entities.get(uid)?.0.clone()));
        let mut family: Vec<_> = ancestors.iter().filter_map(of).collect();
        family.push((uid.clone(), entity.clone()));
        family
    }

    fn ancestors(&self, uid: &EntityUid) -> impl Iterator<Item = &EntityUid> {
        let known = self.entities.get(uid);
        known.into_iter().flat_map(|(_, ancestors)| ancestors)
    }
}

/// The entities that a policy may look into: those that its conditions name. What its head names is only
/// compared, and a policy for each of many tools would make every request carry all of them.
fn looked_at(policy: &Policy) -> Vec<EntityUid> {
    let mut named = policy.entity_literals();
    let mut heads = Vec::new();
    match policy.principal_constraint() {
        PrincipalConstraint::Eq(uid)
        | PrincipalConstraint::In(uid)
        | PrincipalConstraint::IsIn(_, uid) => heads.push(uid),
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => {}
    }
    match policy.resource_constraint() {
        ResourceConstraint::Eq(uid)
        | ResourceConstraint::In(uid)
        | ResourceConstraint::IsIn(_, uid) => heads.push(uid),
        ResourceConstraint::Any | ResourceConstraint::Is(_) => {}
    }
    for head in heads {
        if let Some(place) = named.iter().position(|uid| *uid == head) {
            named.swap_remove(place);
        }
    }
    named
}

impl Types {
    /// Who asks.
    pub(super) fn principal(
        &self,
        question: &Question<'_>,
        known: &Known,
    ) -> Result<Entity, EngineError> {
        let principal = question.principal();
        let kind = match principal.kind() {
            PrincipalKind::Anonymous => return Ok(self.anonymous.clone()),
            PrincipalKind::User => &self.user,
            PrincipalKind::Service => &self.service,
            _ => return Err(EngineError::new("a principal of an unknown kind")),
        };
        if principal.scopes().len() > MOST || principal.roles().len() > MOST {
            return Err(EngineError::new(
                "a principal of more than 1024 roles or scopes",
            ));
        }
        let (issuer, subject) = (principal.issuer(), principal.subject());
        let mut attrs = vec![
            ("issuer".to_owned(), text(issuer)),
            ("subject".to_owned(), text(subject)),
            ("method".to_owned(), text(principal.method())),
            (
                "scopes".to_owned(),
                RestrictedExpression::new_set(principal.scopes().map(text)),
            ),
        ];
        for (name, value) in [
            ("client_id", principal.client_id()),
            ("tenant", principal.tenant()),
        ] {
            attrs.extend(value.map(|value| (name.to_owned(), text(value))));
        }
        let mut parents = HashSet::new();
        for role in question.roles().chain(principal.roles()) {
            let role = self.role(role);
            parents.extend(known.ancestors(&role).cloned());
            parents.insert(role);
        }
        let id = principal_id(issuer, subject);
        let uid = EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id));
        made(Entity::new_with_tags(uid, attrs, parents, []))
    }

    fn role(&self, name: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.role.clone(), EntityId::new(name))
    }

    /// What it acts on, and whatever else policies may look at. The first is the thing itself.
    pub(super) fn resource(
        &self,
        question: &Question<'_>,
        known: &Known,
    ) -> Result<(EntityUid, HashMap<EntityUid, Entity>), EngineError> {
        let mut all = known.named.clone();
        let Some((subject, name)) = question.subject().zip(question.name()) else {
            let uid = self.server.uid();
            all.insert(uid.clone(), self.server.clone());
            return Ok((uid, all));
        };
        let kind = match subject {
            Subject::Tool => &self.tool,
            Subject::Prompt => &self.prompt,
            Subject::Resource => &self.resource,
            Subject::Task => &self.task,
            _ => return Err(EngineError::new("a subject of an unknown kind")),
        };
        let uid = EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(name));
        all.extend(known.family(&uid));
        if !all.contains_key(&uid) {
            let attrs = match subject {
                Subject::Resource => of_uri(question, name)?,
                Subject::Task => vec![("id".to_owned(), text(name))],
                _ => vec![("name".to_owned(), text(name))],
            };
            let thing = made(Entity::new_with_tags(uid.clone(), attrs, [], []))?;
            all.insert(uid.clone(), thing);
        }
        Ok((uid, all))
    }
}

/// The id of a user or service: the first `#` ends the issuer, whatever the subject holds.
pub(super) fn principal_id(issuer: &str, subject: &str) -> String {
    let issuer = issuer.replace('%', "%25").replace('#', "%23");
    format!("{issuer}#{subject}")
}

type Attributes = Vec<(String, RestrictedExpression)>;

/// `uri` has neither query nor a slash at its end, and can be read in one way only.
fn of_uri(question: &Question<'_>, uri: &str) -> Result<Attributes, EngineError> {
    let parts = uri.split_once(':');
    let (scheme, rest) = parts.ok_or(EngineError::new("a resource without a scheme"))?;
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            (Some(authority), path)
        }
        None => (None, rest),
    };
    let is_template = RestrictedExpression::new_bool(question.is_template());
    let mut attrs = vec![
        ("scheme".to_owned(), text(scheme)),
        ("path".to_owned(), text(path)),
        ("is_template".to_owned(), is_template),
    ];
    for (name, value) in [("authority", authority), ("query", question.query())] {
        attrs.extend(value.map(|value| (name.to_owned(), text(value))));
    }
    Ok(attrs)
}

pub(super) fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn made<E>(entity: Result<Entity, E>) -> Result<Entity, EngineError> {
    entity.map_err(|_| EngineError::new("an entity could not be made"))
}
