use bartizan_core::names::capability;
use bartizan_token::Fault;

use super::{Attenuation, Chain, Seed, lineage};
use crate::{
    KeyRecord,
    lookup::{GoodKey, Narrower, Question, StoreLookup, compiled},
};

/// What stands for a key whose public key is wanting or not vouched for is checked against a decoy, so that a
/// stranger learns nothing of ids by the time it takes.
impl StoreLookup {
    /// One MAC and the check of one signature, whatever becomes of it; more for a chain of ours.
    pub(crate) fn judge_child(
        &self,
        question: &Question,
        chain: &Chain,
        last: &Seed,
        record: Option<&KeyRecord>,
    ) -> Result<GoodKey, Fault> {
        let Question {
            id, environment, ..
        } = question;
        let root = self.nursery.root(environment, *id);
        let Some((record, key)) =
            record.and_then(|record| Some((record, record.verifying_key.as_ref()?)))
        else {
            self.peppers.verify_nothing(*id, last.secret());
            chain.verify_nothing(root);
            return Err(match record {
                None => "there is no such key",
                Some(_) => "the key has no children",
            });
        };
        let fault = match self.peppers.is_vouched(*id, &record.hash, key) {
            Some(true) if self.peppers.knows(&record.hash) => None,
            // The key is refused, and its children with it.
            Some(true) => Some("the key was hashed under a pepper that is not here"),
            Some(false) => Some("the public key is not one that was issued here"),
            None => {
                self.peppers.verify_nothing(*id, last.secret());
                Some("the public key was kept under a pepper that is not here")
            }
        };
        if let Some(fault) = fault {
            chain.verify_nothing(root);
            return Err(fault);
        }
        let ids = chain.verify(root, &key.key, last)?;
        self.check_standing(record, environment)?;
        if chain.is_over(self.now()) {
            return Err("the child has expired");
        }
        let mut narrowed = record.clone();
        let mut narrower = Narrower::default();
        for attenuation in chain.attenuations() {
            narrow(&mut narrowed, &mut narrower, attenuation)?;
        }
        narrower.lineage = Some(lineage::of(record.id, chain, &ids).into());
        narrower.bytes = chain.bytes();
        let good = self.good(&narrowed, narrower)?;
        self.nursery.announce(good.lineage().unwrap_or_default());
        Ok(good)
    }
}

/// Takes off what the link takes off. Nothing is put on, whatever it says.
fn narrow(
    key: &mut KeyRecord,
    narrower: &mut Narrower,
    attenuation: &Attenuation,
) -> Result<(), Fault> {
    let Attenuation {
        label: _,
        expires_at,
        limits,
        roles,
        scopes,
        capabilities,
        networks,
        is_last: _,
    } = attenuation;
    if let Some(end) = expires_at {
        key.expires_at = key.expires_at.min(*end);
    }
    if let Some(roles) = roles {
        key.grant.roles.retain(|role| roles.contains(role));
    }
    if let Some(scopes) = scopes {
        key.grant.scopes.retain(|scope| scopes.contains(scope));
    }
    if let Some(said) = capabilities {
        key.grant.capabilities = common(&key.grant.capabilities, said);
    }
    narrower.limits.extend(compiled(limits)?);
    narrower.networks.extend(networks.clone());
    Ok(())
}

/// What both grant: of a wildcard and what is a part of it, the part.
fn common(have: &[String], said: &[String]) -> Vec<String> {
    let mut common: Vec<String> = Vec::new();
    for have in have {
        for said in said {
            let both = if covers(have, said) {
                said
            } else if covers(said, have) {
                have
            } else {
                continue;
            };
            if !common.contains(both) {
                common.push(both.clone());
            }
        }
    }
    common
}

/// Whether all that `part` grants is granted by `whole`.
fn covers(whole: &str, part: &str) -> bool {
    match capability::family(whole) {
        Some(family) => capability::family(part).unwrap_or(part).starts_with(family),
        None => whole == part,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grants() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("\\*|[ab](:[ab]){0,2}|[ab]:\\*|[ab]:[ab]:\\*", 0..5)
    }

    proptest! {
        #[test]
        fn what_is_left_of_capabilities_is_what_both_grant(
            have in grants(),
            said in grants(),
            name in "[ab](:[ab]){0,3}",
        ) {
            let grant = |list: &[String]| list.iter().any(|g| capability::grants(g, &name));
            let left = common(&have, &said);
            prop_assert_eq!(grant(&left), grant(&have) && grant(&said));
        }
    }
}
