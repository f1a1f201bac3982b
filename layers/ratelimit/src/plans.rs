use std::collections::{BTreeSet, HashMap};

use bartizan_core::{Call, CallKind, call::Subject};
use foldhash::fast::RandomState;

use crate::{
    RateLimitConfigError, Tier,
    asked::{MOST_OPEN, MOST_RATES},
    methods::{DISCOVERY, PING, is_apart, is_listened_on},
    tier::{Concerns, Limit},
};

/// Which tiers concern which calls: worked out once, so that a call looks up its own.
#[derive(Debug)]
pub(crate) struct Plans {
    // Strangers choose what is looked up here, and nothing that is kept.
    tools: HashMap<Box<str>, Plan, RandomState>,
    other_tools: Plan,
    methods: HashMap<Box<str>, Plan, RandomState>,
    other_methods: Plan,
    /// `GET`.
    streams: Plan,
    /// `DELETE`, and responses that are posted.
    rest: Plan,
}

type Plan = Box<[Use]>;

/// A tier that concerns a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Use {
    /// Its place among the tiers.
    pub(crate) tier: usize,
    /// Of a rate: what the call costs, but for its body.
    pub(crate) cost: u32,
    /// Of open requests: with as many open it refuses the call.
    pub(crate) most: u32,
}

/// Calls that can wait: they are shed first.
#[derive(Debug, Clone, Default)]
pub(crate) struct LowPriority {
    pub(crate) tools: BTreeSet<Box<str>>,
    /// From so many per cent of what may be open in all.
    pub(crate) from: u8,
}

/// A sort of calls that the same tiers concern.
#[derive(Debug, Clone, Copy)]
enum Class<'c> {
    Tool(Option<&'c str>),
    Method(Option<&'c str>),
    Stream,
    Rest,
}

impl Plans {
    /// Those of the second place.
    pub(crate) fn inside(tiers: &[Tier], low: &LowPriority) -> Result<Self, RateLimitConfigError> {
        Self::new(tiers, low, false)
    }

    /// Those of the first place, which knows a method that is apart from one that is not, and no more.
    pub(crate) fn outside(tiers: &[Tier]) -> Result<Self, RateLimitConfigError> {
        Self::new(tiers, &LowPriority::default(), true)
    }

    fn new(
        tiers: &[Tier],
        low: &LowPriority,
        is_outside: bool,
    ) -> Result<Self, RateLimitConfigError> {
        let maker = Maker::new(tiers, low, is_outside);
        let tools = maker.tools().into_iter();
        let tools = tools.map(|name| Ok((name.into(), maker.plan(Class::Tool(Some(name)))?)));
        let methods = maker.methods().into_iter();
        let methods = methods.map(|name| Ok((name.into(), maker.plan(Class::Method(Some(name)))?)));
        Ok(Self {
            tools: tools.collect::<Result<_, _>>()?,
            other_tools: maker.plan(Class::Tool(None))?,
            methods: methods.collect::<Result<_, _>>()?,
            other_methods: maker.plan(Class::Method(None))?,
            streams: maker.plan(Class::Stream)?,
            rest: maker.plan(Class::Rest)?,
        })
    }

    /// Of a call.
    #[inline]
    pub(crate) fn of(&self, call: &Call) -> &[Use] {
        match (call.subject(), call.name()) {
            (Some(Subject::Tool), Some(name)) => self.tools.get(name).unwrap_or(&self.other_tools),
            _ => match call.kind() {
                CallKind::Stream => &self.streams,
                CallKind::Request | CallKind::Notification => self.of_method(call.method()),
                _ => &self.rest,
            },
        }
    }

    /// Of a method, whatever it acts on.
    #[inline]
    pub(crate) fn of_method(&self, method: &str) -> &[Use] {
        self.methods.get(method).unwrap_or(&self.other_methods)
    }

    /// Of requests of which nothing is known.
    #[inline]
    pub(crate) fn of_any(&self) -> &[Use] {
        &self.other_methods
    }
}

struct Maker<'t> {
    tiers: &'t [Tier],
    /// All that are not for certain tools only, of which there may be very many.
    general: Vec<usize>,
    special: HashMap<&'t str, Vec<usize>>,
    low: &'t LowPriority,
    is_outside: bool,
}

impl<'t> Maker<'t> {
    fn new(tiers: &'t [Tier], low: &'t LowPriority, is_outside: bool) -> Self {
        let (mut general, mut special) = (Vec::new(), HashMap::<_, Vec<_>>::new());
        for (index, tier) in tiers.iter().enumerate() {
            match &tier.concerns {
                Concerns::Tools(names) => {
                    for name in names {
                        special.entry(&**name).or_default().push(index);
                    }
                }
                _ => general.push(index),
            }
        }
        Self {
            tiers,
            general,
            special,
            low,
            is_outside,
        }
    }

    /// Tools that differ from others.
    fn tools(&self) -> BTreeSet<&'t str> {
        let mut names: BTreeSet<_> = self.special.keys().copied().collect();
        for tier in self.tiers {
            names.extend(tier.cost.tools());
            if let Concerns::OtherTools(others) = &tier.concerns {
                names.extend(others.iter().map(AsRef::as_ref));
            }
        }
        names.extend(self.low.tools.iter().map(AsRef::as_ref));
        names
    }

    /// Methods that differ from others.
    fn methods(&self) -> BTreeSet<&'t str> {
        let mut names = BTreeSet::from([PING, "subscriptions/listen"]);
        names.extend(DISCOVERY);
        for tier in self.tiers {
            if let Concerns::Methods(methods) = &tier.concerns {
                names.extend(methods.iter().map(AsRef::as_ref));
            }
        }
        names
    }

    fn plan(&self, class: Class<'_>) -> Result<Plan, RateLimitConfigError> {
        let own = match class {
            Class::Tool(Some(name)) => self.special.get(name),
            _ => None,
        };
        let mut indices = self.general.clone();
        indices.extend(own.into_iter().flatten());
        indices.sort_unstable();
        let mut plan = Vec::new();
        let (mut rates, mut open) = (0, 0);
        for index in indices {
            let Some(tier) = self.tiers.get(index) else {
                continue;
            };
            if !self.concerns(tier, class) {
                continue;
            }
            match tier.limit {
                Limit::Rate(_) => rates += 1,
                Limit::Open(_) => open += 1,
            }
            if rates > MOST_RATES || open > MOST_OPEN {
                let problem =
                    "is one more than may concern one call: 10 rates, and 4 of open requests";
                return Err(RateLimitConfigError::new("tier", &tier.name, problem));
            }
            plan.push(self.use_of(index, tier, class));
        }
        Ok(plan.into())
    }

    fn concerns(&self, tier: &Tier, class: Class<'_>) -> bool {
        match (&tier.concerns, class) {
            // Nobody has verified yet that this is what is asked for: saying so makes no guess easier, and leaves nothing
            // open that is not counted.
            (Concerns::All, Class::Method(Some(name))) if is_apart(name) => {
                self.is_outside && (tier.is_looked_at || matches!(tier.limit, Limit::Open(_)))
            }
            (Concerns::All, _) => true,
            // Chosen by its name.
            (Concerns::Tools(names), Class::Tool(Some(name))) => names.contains(name),
            (Concerns::OtherTools(names), Class::Tool(Some(name))) => !names.contains(name),
            (Concerns::OtherTools(_), Class::Tool(None)) => true,
            (Concerns::Methods(names), Class::Tool(_)) => names.contains("tools/call"),
            (Concerns::Methods(names), Class::Method(Some(name))) => names.contains(name),
            (Concerns::Streams, Class::Stream) => true,
            (Concerns::Streams, Class::Method(Some(name))) => is_listened_on(name),
            _ => false,
        }
    }

    fn use_of(&self, tier: usize, of: &Tier, class: Class<'_>) -> Use {
        let tool = match class {
            Class::Tool(name) => name,
            _ => None,
        };
        let most = match of.limit {
            Limit::Rate(_) => 0,
            Limit::Open(most) => match class {
                // A client that is told 503 when it asks what is spoken here may do without it.
                Class::Method(Some(name)) if is_apart(name) => {
                    most.saturating_add((most / 8).max(1))
                }
                Class::Tool(Some(name)) if is_of_process(of) && self.low.tools.contains(name) => {
                    let part = u64::from(most) * u64::from(self.low.from) / 100;
                    u32::try_from(part).unwrap_or(most).max(1)
                }
                _ => most,
            },
        };
        Use {
            tier,
            cost: of.cost.of(tool),
            most,
        }
    }
}

/// Whether a tier sheds the calls of a tool when they are of low priority.
pub(crate) fn sheds(tier: &Tier, tool: &str) -> bool {
    let is_concerned = match &tier.concerns {
        Concerns::All => true,
        Concerns::Tools(names) => names.contains(tool),
        Concerns::OtherTools(names) => !names.contains(tool),
        Concerns::Methods(names) => names.contains("tools/call"),
        Concerns::Streams => false,
    };
    is_concerned && is_of_process(tier) && !tier.is_shadow
}

/// Whether a tier counts what is open in the whole process.
pub(crate) fn is_of_process(tier: &Tier) -> bool {
    tier.is_single() && matches!(tier.limit, Limit::Open(_))
}
