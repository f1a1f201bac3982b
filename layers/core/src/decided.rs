use std::sync::Arc;

/// What an authorization layer decided about a request, for whoever records it: enough to tell later
/// what another policy would have said.
///
/// ```
/// use std::sync::Arc;
/// use bartizan_core::{Decided, SecurityContext};
/// let rule: Arc<str> = "tool:read_*".into();
/// let mut decided = Decided::by("7".into());
/// decided.rule(&rule);
/// decided.outcome("admitted");
/// let context = SecurityContext::default();
/// context.set_decided(decided);
/// let decided = context.decided().unwrap();
/// assert_eq!((decided.outcome_name(), decided.policy()), ("admitted", "7"));
/// assert_eq!(decided.rules().collect::<Vec<_>>(), ["tool:read_*"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    outcome: &'static str,
    policy: Arc<str>,
    baseline: Option<&'static str>,
    rules: [Option<Arc<str>>; Decided::MAX_RULES],
    more_rules: bool,
    operations: u32,
    is_unclear: bool,
    is_granted: bool,
    is_limited: bool,
}

impl Decided {
    /// Rules that are named.
    pub const MAX_RULES: usize = 4;

    /// By the policy of this version. The outcome is empty until [`outcome`](Self::outcome) says it.
    pub fn by(policy: Arc<str>) -> Self {
        Self {
            outcome: "",
            policy,
            baseline: None,
            rules: Default::default(),
            more_rules: false,
            operations: 1,
            is_unclear: false,
            is_granted: false,
            is_limited: false,
        }
    }

    /// A stable word for what was decided: `admitted`, or why not.
    pub fn outcome(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }

    /// A rule covers the request; the same one again changes nothing. What exceeds [`MAX_RULES`](Self::MAX_RULES) is not named.
    pub fn rule(&mut self, name: &Arc<str>) {
        for place in &mut self.rules {
            match place {
                Some(named) if Arc::ptr_eq(named, name) => return,
                Some(_) => {}
                None => {
                    *place = Some(Arc::clone(name));
                    return;
                }
            }
        }
        self.more_rules = true;
    }

    /// What needs no rule covers the request, by this name.
    pub fn baseline(&mut self, name: &'static str) {
        self.baseline = Some(name);
    }

    /// So many operations were judged as one, where that is not one: of a stream, those that it listens
    /// to too.
    pub fn operations(&mut self, count: usize) {
        self.operations = u32::try_from(count).unwrap_or(u32::MAX);
    }

    /// It could be read in more than one way, so that no policy admits it.
    pub fn unclear(&mut self) {
        self.is_unclear = true;
    }

    /// Roles counted that the credential does not name, or capabilities that it grants itself.
    pub fn granted(&mut self) {
        self.is_granted = true;
    }

    /// It is beyond the limits of the credential, so that no policy admits it.
    pub fn limited(&mut self) {
        self.is_limited = true;
    }

    /// What was decided.
    pub fn outcome_name(&self) -> &'static str {
        self.outcome
    }

    /// The version of the policy.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The part of the baseline that covers the request.
    pub fn baseline_name(&self) -> Option<&'static str> {
        self.baseline
    }

    /// The rules that cover the request, satisfied or not.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flatten().map(AsRef::as_ref)
    }

    /// Whether there are more than [`rules`](Self::rules) names.
    pub fn has_more_rules(&self) -> bool {
        self.more_rules
    }

    /// How many operations were judged as one.
    pub fn operation_count(&self) -> u32 {
        self.operations
    }

    /// Whether it could be read in more than one way.
    pub fn is_unclear(&self) -> bool {
        self.is_unclear
    }

    /// Whether it is beyond the limits of the credential.
    pub fn is_limited(&self) -> bool {
        self.is_limited
    }

    /// Whether roles counted that the credential does not name, or capabilities that it grants itself.
    pub fn is_granted(&self) -> bool {
        self.is_granted
    }
}
