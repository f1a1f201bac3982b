//! What operators are told of a decision, on the answer itself.

use std::sync::Arc;

use bartizan_core::{SecurityContext, call::Pass};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{Operation, Policy, RbacConfigError, in_force::InForce};

/// A header that says by what an answer was decided, to those who have a role.
#[derive(Debug)]
pub(crate) struct DecisionHeader {
    name: HeaderName,
    role: Box<str>,
}

/// Most rules that it names.
const MOST_RULES: usize = 8;
/// Most characters of a rule's name.
const RULE: usize = 120;

impl DecisionHeader {
    pub(crate) fn new(name: &str, role: &str, policy: &Policy) -> Result<Self, RbacConfigError> {
        let error = |problem| RbacConfigError::new("header", name, problem);
        let parsed = HeaderName::try_from(name).map_err(|_| error("is no header name"))?;
        if !parsed.as_str().starts_with("x-") {
            return Err(error(
                "does not begin with `x-`, so it may mean something else",
            ));
        }
        if policy.roles.only(role).is_empty() {
            return Err(RbacConfigError::new("role", role, "is not declared"));
        }
        Ok(Self {
            name: parsed,
            role: role.into(),
        })
    }

    /// For the answer to a request that was judged.
    pub(crate) fn of(self: &Arc<Self>, in_force: &InForce, context: &SecurityContext) -> Told {
        let value = self.value(in_force, context).map(Box::new);
        Told(Some((Arc::clone(self), value)))
    }

    /// `None` if the caller has not the role.
    fn value(&self, in_force: &InForce, context: &SecurityContext) -> Option<HeaderValue> {
        let (principal, call) = context.principal().zip(context.call())?;
        let (policy, asker) = (&in_force.policy, in_force.asker(principal));
        if !policy.is_role_of(&asker, &self.role) {
            return None;
        }
        let rules = policy.deciding(&asker, &Operation::from(call), in_force.approved.is_some());
        let mut text = format!("version=\"{}\"; rule=\"", policy.version());
        for (place, rule) in rules.iter().take(MOST_RULES).enumerate() {
            text.push_str(if place > 0 { ", " } else { "" });
            text.extend(rule.chars().take(RULE).map(harmless));
        }
        if rules.len() > MOST_RULES {
            text.push_str(", ...");
        }
        let id = context.correlation_id().as_str();
        text.push_str(&format!("\"; id=\"{id}\""));
        HeaderValue::try_from(text).ok()
    }
}

/// Rules are named as one likes.
fn harmless(c: char) -> char {
    match c {
        '"' | '\\' => '\'',
        ' '..='~' => c,
        _ => '?',
    }
}

/// What an answer says of its decision: nothing, unless
/// [`RbacLayer::decision_header`](crate::RbacLayer::decision_header) was called and the caller has its role.
#[derive(Debug, Default)]
// In a box: few requests are an operator's.
pub struct Told(Option<(Arc<DecisionHeader>, Option<Box<HeaderValue>>)>);

impl Pass for Told {
    fn amend(self, headers: &mut HeaderMap) {
        let Some((header, value)) = self.0 else {
            return;
        };
        match value {
            Some(value) => _ = headers.insert(&header.name, *value),
            // What the service inside says by that name was told by nobody here.
            None => _ = headers.remove(&header.name),
        }
    }
}
