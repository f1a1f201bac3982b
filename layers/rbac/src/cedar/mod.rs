//! Policies in the Cedar language as an engine.

mod actions;
mod arguments;
mod builder;
mod entities;
mod error;
mod schema;

use std::{collections::HashMap, fmt};

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, EntityId, EntityUid, PolicySet,
    Request, RestrictedExpression, Schema,
};

use crate::{Answer, Arguments, EngineError, PolicyEngine, Question};

pub use builder::CedarBuilder;
pub use error::CedarError;
pub use schema::CEDAR_SCHEMA;

use actions::{Actions, is_call};
use arguments::Shape;
use entities::{Known, Types, principal_id, text};

/// A [`PolicyEngine`] that asks policies in the [Cedar](https://www.cedarpolicy.com) language.
///
/// What no policy permits is denied, and one that forbids outweighs all that permit. **A policy that cannot
/// be evaluated denies too**, whatever the others say; Cedar itself would pass over it, and so over what it
/// forbids. Policies are checked against [`CEDAR_SCHEMA`] as the engine is made, so that little is left that
/// can go wrong later: the overflow of a sum, an entity that a policy names and nobody said.
///
/// ```
/// use bartizan_core::Principal;
/// use bartizan_rbac::{CEDAR_BASELINE, CedarEngine, Operation, Policy};
/// let cedar = CedarEngine::builder()
///     .policies(CEDAR_BASELINE)
///     .policies(
///         r#"
///         permit (principal in Mcp::Role::"clerk", action == Mcp::Action::"tools/call", resource);
///
///         @id("large transfers")
///         forbid (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"transfer")
///         when { context.arguments has transfer && context.arguments.transfer.amount > 1000 }
///         unless { principal in Mcp::Role::"treasurer" };
///         "#,
///     )
///     .tool_arguments("transfer", "amount: Long")
///     .build()?;
/// let policy = Policy::builder().delegate().engine(cedar).build()?;
/// let ann = Principal::user("https://auth.example.com", "ann").roles(["clerk"]).build("jwt");
/// let transfer = |json| policy.decide(Some(&ann), &Operation::tool("transfer").arguments(json));
/// assert!(transfer(r#"{"amount": 1000, "to": "bob"}"#).is_admitted());
/// assert!(!transfer(r#"{"amount": 1001, "to": "bob"}"#).is_admitted());
/// // No integer, so nobody can tell.
/// assert!(!transfer(r#"{"amount": 1e2, "to": "bob"}"#).is_admitted());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("guide.md")]
pub struct CedarEngine {
    authorizer: Authorizer,
    policies: PolicySet,
    schema: Schema,
    schema_text: String,
    actions: Actions,
    types: Types,
    known: Known,
    tools: HashMap<Box<str>, Shape>,
    version: String,
}

/// What is open without a rule to whoever uses rules, as Cedar policies: the handshake, `ping`, streams, the
/// end of sessions, and lists for whoever is identified.
pub const CEDAR_BASELINE: &str = include_str!("baseline.cedar");

impl CedarEngine {
    /// An engine of these policies alone.
    ///
    /// # Errors
    ///
    /// As [`CedarBuilder::build`].
    pub fn new(policies: &str) -> Result<Self, CedarError> {
        Self::builder().policies(policies).build()
    }

    /// Starts an engine.
    pub fn builder() -> CedarBuilder {
        CedarBuilder::default()
    }

    /// The schema that the policies were checked against, in Cedar's format.
    pub fn schema(&self) -> &str {
        &self.schema_text
    }

    /// The id of the entity of a user or service: the issuer, `#`, and the subject. In the issuer `%` and `#`
    /// are written `%25` and `%23`, so that no two parties have one id.
    pub fn principal_id(issuer: &str, subject: &str) -> String {
        principal_id(issuer, subject)
    }

    fn context(&self, action: &EntityUid, question: &Question<'_>) -> Result<Context, EngineError> {
        let mut pairs = vec![("method".to_owned(), text(question.method()))];
        if let Some(revision) = question.revision() {
            pairs.push(("revision".to_owned(), text(revision.as_str())));
        }
        if is_call(action) {
            let is_known = question.arguments() != Arguments::Any;
            let is_known = RestrictedExpression::new_bool(is_known);
            pairs.push(("arguments_known".to_owned(), is_known));
            pairs.push(("arguments".to_owned(), self.arguments(question)?));
        }
        Context::from_pairs(pairs).map_err(|_| EngineError::new("a context could not be made"))
    }

    /// Those of the tool, by its name; a record of none if policies see none of it.
    fn arguments(&self, question: &Question<'_>) -> Result<RestrictedExpression, EngineError> {
        let tool = question.name().unwrap_or_default();
        let arguments = match (self.tools.get_key_value(tool), question.arguments()) {
            (None, _) | (_, Arguments::Any) => None,
            (Some(declared), Arguments::Absent) => Some((declared, "{}")),
            (Some(declared), Arguments::Json(json)) => Some((declared, json)),
        };
        let pair = arguments.map(|((tool, shape), json)| {
            let read = shape.read(json).map_err(|misfit| {
                let problem = misfit.problem;
                match misfit.argument {
                    Some(name) => {
                        EngineError::new(format!("argument `{name}` of `{tool}` {problem}"))
                    }
                    None => EngineError::new(format!("what `{tool}` is given {problem}")),
                }
            })?;
            Ok((tool.to_string(), read))
        });
        let record = RestrictedExpression::new_record(pair.transpose()?);
        record.map_err(|_| EngineError::new("arguments could not be made"))
    }
}

impl PolicyEngine for CedarEngine {
    fn decide(&self, question: &Question<'_>) -> Result<Answer, EngineError> {
        let action = self.actions.action(question);
        let principal = self.types.principal(question, &self.known)?;
        let (resource, mut entities) = self.types.resource(question, &self.known)?;
        let context = self.context(&action.uid(), question)?;
        let request = Request::new(
            principal.uid(),
            action.uid(),
            resource,
            context,
            Some(&self.schema),
        );
        let request = request.map_err(|_| EngineError::new("the schema has no such request"))?;
        for entity in [principal, action.clone()] {
            entities.insert(entity.uid(), entity);
        }
        let entities = Entities::from_entities(entities.into_values(), None);
        let entities = entities.map_err(|_| EngineError::new("entities could not be made"))?;
        let response = self
            .authorizer
            .is_authorized(&request, &self.policies, &entities);
        let diagnostics = response.diagnostics();
        // What Cedar says of an error may hold what the caller sent.
        if let Some(AuthorizationError::PolicyEvaluationError(error)) = diagnostics.errors().next()
        {
            let policy = error.policy_id();
            let problem = format!("policy `{policy}` could not be evaluated");
            return Err(EngineError::new(problem));
        }
        let answer = match response.decision() {
            Decision::Allow => Answer::permit(),
            Decision::Deny => Answer::forbid(),
        };
        let mut by: Vec<&str> = diagnostics.reason().map(AsRef::as_ref).collect();
        by.sort_unstable();
        Ok(answer.by(by))
    }

    fn version(&self) -> &str {
        &self.version
    }
}

impl fmt::Debug for CedarEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CedarEngine")
            .field("version", &self.version)
            .field("policies", &self.policies.num_of_policies())
            .finish_non_exhaustive()
    }
}

/// An entity of this namespace's type.
fn uid(kind: &str, id: &str) -> Result<EntityUid, CedarError> {
    let kind = format!("Mcp::{kind}");
    let kind = kind
        .parse()
        .map_err(|error| CedarError::new("schema", error))?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}
