use bartizan_core::Decided;

use super::{
    Names, Text,
    fields::{Fields, key},
};

/// What an authorization layer decided, whatever became of the request.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Decision<'a> {
    /// `admitted`, or why not, in the layer's words.
    pub outcome: &'static str,
    /// The version of the policy.
    pub policy: Text<'a>,
    /// The part of the baseline that covers the request.
    pub baseline: Option<&'static str>,
    /// The rules that cover the request, satisfied or not.
    pub rules: Names<'a>,
    /// How many operations were judged as one: 1, and of a stream one more for each resource that it
    /// listens to.
    pub operations: u32,
    /// Whether it could be read in more than one way, so that no policy admits it.
    pub is_unclear: bool,
    /// Whether roles counted that the credential does not name.
    pub is_granted: bool,
    /// Whether it is beyond the limits of the credential, so that no policy admits it.
    pub is_limited: bool,
}

const MAX_POLICY: u32 = 64;

impl<'a> Decision<'a> {
    pub(crate) fn of(decided: &'a Decided) -> Self {
        Self {
            outcome: decided.outcome_name(),
            policy: Text::new(decided.policy(), MAX_POLICY),
            baseline: decided.baseline_name(),
            rules: Names::rules_of(decided),
            operations: decided.operation_count(),
            is_unclear: decided.is_unclear(),
            is_granted: decided.is_granted(),
            is_limited: decided.is_limited(),
        }
    }

    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        let mut fields = Fields::begin(out);
        fields.word(key!("outcome"), self.outcome);
        fields.text(key!("policy"), self.policy);
        fields.word_if(key!("baseline"), self.baseline);
        self.rules.write_json(fields.value(key!("rules")));
        if self.operations != 1 {
            fields.number(key!("operations"), self.operations.into());
        }
        for (key, is_so) in [
            (key!("is_unclear"), self.is_unclear),
            (key!("is_granted"), self.is_granted),
            (key!("is_limited"), self.is_limited),
        ] {
            if is_so {
                fields.value(key).extend_from_slice(b"true");
            }
        }
        fields.end();
    }
}
