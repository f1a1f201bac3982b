//! A second policy that is asked and not obeyed.

use bartizan_core::{SecurityContext, note};

use crate::{Decision, Operation, Policy, PolicyHandle};

/// Records where the policy in shadow decides otherwise than the one that counts did.
pub(crate) fn compare(
    shadow: &PolicyHandle,
    policy: &Policy,
    decision: Decision,
    operation: &Operation<'_>,
    context: &SecurityContext,
) {
    let shadow = shadow.in_force();
    let other = shadow.policy.decide(context.principal(), operation);
    if other != decision {
        note!("rbac", context, "shadow_differs", {
            let decided = told(policy, decision, operation, context);
            let in_shadow = told(&shadow.policy, other, operation, context);
            format!("{decided}; in shadow {in_shadow}")
        });
    }
}

fn told(
    policy: &Policy,
    decision: Decision,
    operation: &Operation<'_>,
    context: &SecurityContext,
) -> String {
    let principal = context.principal();
    let why = if decision.is_admitted() {
        policy.decide_and_explain(principal, operation, true).1
    } else {
        policy.why_refused(principal, operation, &[])
    };
    format!("{}, {why}", decision.name())
}
