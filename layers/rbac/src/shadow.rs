//! A second policy that is asked and not obeyed.

use bartizan_core::{SecurityContext, note};

use crate::{Decision, Operation, Policy, asker::Asker, in_force::InForce};

/// Records where the policy in shadow decides otherwise than the one that counts did, of the same asker
/// with the same grants.
pub(crate) fn compare(
    shadow: &Policy,
    in_force: &InForce,
    (asker, decision): (Option<&Asker<'_>>, Decision),
    operation: &Operation<'_>,
    context: &SecurityContext,
) {
    let in_shadow = asker.map(|asker| in_force.asker_of(shadow, asker.principal));
    let in_shadow = in_shadow.as_ref();
    let other = shadow.decide_by(in_shadow, operation, |_| {});
    if other != decision {
        note!("rbac", context, "shadow_differs", {
            let decided = told(&in_force.policy, asker, decision, operation);
            let in_shadow = told(shadow, in_shadow, other, operation);
            format!("{decided}; in shadow {in_shadow}")
        });
    }
}

fn told(
    policy: &Policy,
    asker: Option<&Asker<'_>>,
    decision: Decision,
    operation: &Operation<'_>,
) -> String {
    let explained = policy.decide_and_explain(asker, operation, |_| {});
    let why = if decision.is_admitted() {
        explained.text
    } else {
        policy.why_not(explained, asker, operation, &[])
    };
    format!("{}, {why}", decision.name())
}
