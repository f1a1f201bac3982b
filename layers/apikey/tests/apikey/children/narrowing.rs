use std::{net::IpAddr, time::Duration};

use bartizan_apikey::{ApiKeyConfig, ApiKeys, Attenuation, MemoryStore};
use bartizan_core::{CredentialLimits, Principal, call::Subject, names::capability};
use ipnet::IpNet;
use proptest::prelude::*;

use super::{
    super::support::{NOW, builder, clock, grant},
    held,
};

fn subset(of: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<&'static str>>> {
    prop::option::weighted(0.4, prop::sample::subsequence(of, 0..=of.len()))
}

const NAMES: &[&str] = &["*", "read_*", "*_note", "read_note", "delete_note"];
const URIS: &[&str] = &["file:///a/**", "file:///a/b", "https://x.example/*"];
const METHODS: &[&str] = &["*", "tools/*", "tools/call", "resources/read", "prompts/*"];
const GRANTS: &[&str] = &["*", "notes:*", "notes:read", "logs:read"];
const ROLES: &[&str] = &["developer", "admin", "viewer"];
const NETWORKS: &[&str] = &["192.0.2.0/24", "192.0.2.8/30", "2001:db8::/32", "0.0.0.0/0"];

/// What a link says, and nothing else that is true of it.
#[derive(Debug, Clone)]
struct Said {
    tools: Option<Vec<&'static str>>,
    prompts: Option<Vec<&'static str>>,
    resources: Option<Vec<&'static str>>,
    methods: Option<Vec<&'static str>>,
    roles: Option<Vec<&'static str>>,
    scopes: Option<Vec<&'static str>>,
    capabilities: Option<Vec<&'static str>>,
    networks: Option<Vec<&'static str>>,
    rate: Option<(u32, u32)>,
    end: Option<u64>,
}

prop_compose! {
    fn said()(
        tools in subset(NAMES),
        prompts in subset(NAMES),
        resources in subset(URIS),
        methods in subset(METHODS),
        roles in subset(ROLES),
        scopes in subset(ROLES),
        capabilities in subset(GRANTS),
        networks in subset(NETWORKS),
        rate in prop::option::weighted(0.4, (1..9_u32, 1..9_u32)),
        end in prop::option::weighted(0.4, 1..300_u64),
    ) -> Said {
        Said { tools, prompts, resources, methods, roles, scopes, capabilities, networks, rate, end }
    }
}

impl Said {
    fn attenuation(&self) -> Attenuation {
        let said = self.clone();
        let mut made = Attenuation::new();
        if let Some(tools) = said.tools {
            made = made.only_tools(tools);
        }
        if let Some(prompts) = said.prompts {
            made = made.only_prompts(prompts);
        }
        if let Some(resources) = said.resources {
            made = made.only_resources(resources);
        }
        if let Some(methods) = said.methods {
            made = made.only_methods(methods);
        }
        if let Some(roles) = said.roles {
            made = made.only_roles(roles);
        }
        if let Some(scopes) = said.scopes {
            made = made.only_scopes(scopes);
        }
        if let Some(capabilities) = said.capabilities {
            made = made.only_capabilities(capabilities);
        }
        if let Some((per_minute, burst)) = said.rate {
            made = made.rate(per_minute, burst);
        }
        if let Some(networks) = said.networks {
            made = made.only_networks(networks.iter().map(|network| network.parse().unwrap()));
        }
        if let Some(end) = said.end {
            made = made.expires_at(NOW + end);
        }
        made
    }

    fn limits(&self) -> CredentialLimits {
        let mut limits = CredentialLimits::new();
        if let Some(tools) = &self.tools {
            limits = limits.with_tools(tools).unwrap();
        }
        if let Some(prompts) = &self.prompts {
            limits = limits.with_prompts(prompts).unwrap();
        }
        if let Some(resources) = &self.resources {
            limits = limits.with_resources(resources).unwrap();
        }
        if let Some(methods) = &self.methods {
            limits = limits.with_methods(methods).unwrap();
        }
        limits
    }

    /// Whether it says no more than this of a child, and of where that is good from.
    fn holds_for(&self, child: &Principal, from: Option<IpAddr>) -> bool {
        let limits = self.limits();
        let has = |list: &Option<Vec<&str>>, name: &str| {
            list.as_ref().is_none_or(|list| list.contains(&name))
        };
        let covers = |network: &&str| {
            let network: IpNet = network.parse().unwrap();
            from.is_some_and(|from| network.contains(&from))
        };
        CALLS
            .iter()
            .all(|(method, of)| !child.limits_admit(method, *of) || limits.admits(method, *of))
            && child.roles().all(|role| has(&self.roles, role))
            && child.scopes().all(|scope| has(&self.scopes, scope))
            && self.capabilities.as_ref().is_none_or(|said| {
                let grants = |name: &&str| said.iter().any(|grant| capability::grants(grant, name));
                granted(child).iter().all(grants)
            })
            && self.rate.is_none_or(|(per_minute, burst)| {
                let rate = child.rate().unwrap();
                rate.per_minute() <= per_minute && rate.burst() <= burst
            })
            && self
                .networks
                .as_ref()
                .is_none_or(|networks| networks.iter().any(covers))
            && self
                .end
                .is_none_or(|end| child.expires_at().unwrap().as_secs() <= NOW + end)
    }
}

const CALLS: &[(&str, Option<(Subject, &str)>)] = &[
    ("tools/call", Some((Subject::Tool, "read_note"))),
    ("tools/call", Some((Subject::Tool, "delete_note"))),
    ("tools/call", Some((Subject::Tool, "x"))),
    ("tools/call", None),
    ("prompts/get", Some((Subject::Prompt, "read_note"))),
    ("resources/read", Some((Subject::Resource, "file:///a/b"))),
    (
        "resources/read",
        Some((Subject::Resource, "https://x.example/y")),
    ),
    ("tools/list", None),
    ("initialize", None),
    ("x/y", None),
    ("", None),
];

/// What is admitted of all that is tried.
#[derive(Debug)]
struct Reach {
    by_address: Vec<(Option<IpAddr>, Option<Principal>)>,
}

impl Reach {
    async fn of(keys: &ApiKeys, text: &str) -> Self {
        let addresses = ["192.0.2.9", "192.0.2.77", "198.51.100.1", "2001:db8::1", ""];
        let mut by_address = Vec::new();
        for address in addresses {
            let from: Option<IpAddr> = address.parse().ok();
            by_address.push((from, keys.verifier().verify(text, from).await.ok()));
        }
        Self { by_address }
    }

    fn is_within(&self, wider: &Self) -> bool {
        let mut both = self.by_address.iter().zip(&wider.by_address);
        both.all(|((_, narrow), (_, wide))| match (narrow, wide) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(narrow), Some(wide)) => is_within(narrow, wide),
        })
    }

    fn is_what(&self, said: &Said) -> bool {
        let mut good = self
            .by_address
            .iter()
            .filter_map(|(from, good)| Some((from, good.as_ref()?)));
        good.all(|(from, good)| said.holds_for(good, *from))
    }
}

/// Capabilities, by name.
fn granted(principal: &Principal) -> Vec<&'static str> {
    let names = ["notes:read", "notes:write", "logs:read", "x"].into_iter();
    let is_granted = |name: &&str| {
        let mut grants = principal.capabilities();
        grants.any(|grant| capability::grants(grant, name))
    };
    names.filter(is_granted).collect()
}

fn is_within(narrow: &Principal, wide: &Principal) -> bool {
    let admits =
        |of: &Principal, call: &(&str, Option<(Subject, &str)>)| of.limits_admit(call.0, call.1);
    let names = |narrow: Vec<&str>, wide: Vec<&str>| narrow.iter().all(|n| wide.contains(n));
    let is_lower = match (narrow.rate(), wide.rate()) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(narrow), Some(wide)) => narrow.and(wide) == narrow,
    };
    CALLS
        .iter()
        .all(|call| !admits(narrow, call) || admits(wide, call))
        && names(narrow.roles().collect(), wide.roles().collect())
        && names(narrow.scopes().collect(), wide.scopes().collect())
        && names(granted(narrow), granted(wide))
        && is_lower
        && narrow.expires_at() <= wide.expires_at()
        && narrow.tenant() == wide.tenant()
        && narrow.is_same_party(wide)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_line_of_children_accepts_what_one_of_it_refuses(
        line in prop::collection::vec(said(), 1..=4),
        passed in 0..300_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clock = clock();
            let mut config = ApiKeyConfig::default();
            config.new_keys_per_minute = 1_000_000;
            let keys = builder(MemoryStore::new(), &clock).config(config).build().unwrap();
            let grant = grant()
                .roles(["developer", "viewer"])
                .scopes(["developer", "admin"])
                .capabilities(["notes:*", "x"])
                .rate(7, 5)
                .networks(["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
            let key = keys.issue_for(grant, Duration::from_secs(200)).await.unwrap();
            let mut descendants = vec![held(&key)];
            for said in &line {
                let child = descendants.last().unwrap().attenuate(said.attenuation()).unwrap();
                descendants.push(child);
            }
            clock.advance(Duration::from_secs(passed));
            let mut reaches = Vec::new();
            for held in &descendants {
                reaches.push(Reach::of(&keys, held.text()).await);
            }
            for pair in reaches.windows(2) {
                assert!(pair[1].is_within(&pair[0]), "{pair:#?}");
            }
            for (reach, said) in reaches[1..].iter().zip(&line) {
                assert!(reach.is_what(said), "{said:?} {reach:#?}");
            }
        });
    }
}
