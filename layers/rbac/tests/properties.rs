//! The policy against a slow model that is obviously right, and its globs against a known crate.

#![expect(
    clippy::indexing_slicing,
    reason = "the helpers of these tests are tests too"
)]

use bartizan_core::Principal;
use bartizan_rbac::{Decision, Operation, Policy, PolicyBuilder, Rule};
use globset::GlobBuilder;
use proptest::prelude::*;

const ROLES: [&str; 4] = ["r0", "r1", "r2", "r3"];
const CAPABILITIES: [&str; 4] = ["a:x", "a:y", "b:x", "b:y"];
const GRANTS: [&str; 6] = ["a:x", "a:y", "b:x", "a:*", "b:*", "*"];
const SCOPES: [&str; 3] = ["s0", "s1", "s2"];
const NAMES: [&str; 6] = ["tools/call", "tools/list", "a", "ab", "abc", "b"];
const PATTERNS: [&str; 9] = ["*", "a", "a*", "*b", "ab*", "a*c", "b", "tools/*", "*/call"];

#[derive(Debug, Clone)]
struct Model {
    /// Role n includes only roles after it, so that there is no cycle.
    includes: Vec<(usize, usize)>,
    grants: Vec<(usize, usize)>,
    scope_includes: Vec<(usize, usize)>,
    rules: Vec<ModelRule>,
    baseline: bool,
}

#[derive(Debug, Clone)]
struct ModelRule {
    is_method: bool,
    pattern: usize,
    except: Option<usize>,
    needs: ModelNeeds,
}

#[derive(Debug, Clone)]
enum ModelNeeds {
    Anyone,
    Deny,
    Somebody {
        roles: Vec<usize>,
        capabilities: Vec<usize>,
        scopes: Vec<usize>,
    },
}

#[derive(Debug, Clone)]
struct ModelPrincipal {
    anonymous: bool,
    roles: Vec<usize>,
    scopes: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct ModelOperation {
    is_method: bool,
    name: usize,
}

/// The glob, character by character.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|cut| matches(rest, &name[cut..])),
        Some((c, rest)) => name.first() == Some(c) && matches(rest, &name[1..]),
    }
}

fn reaches(edges: &[(usize, usize)], from: usize, to: usize) -> bool {
    from == to
        || edges
            .iter()
            .any(|&(a, b)| a == from && reaches(edges, b, to))
}

impl Model {
    fn has_role(&self, principal: &ModelPrincipal, role: usize) -> bool {
        let held = |&mine: &usize| reaches(&self.includes, mine, role);
        !principal.anonymous && principal.roles.iter().any(held)
    }

    fn has_capability(&self, principal: &ModelPrincipal, capability: usize) -> bool {
        self.grants.iter().any(|&(role, grant)| {
            matches(
                GRANTS[grant].as_bytes(),
                CAPABILITIES[capability].as_bytes(),
            ) && self.has_role(principal, role)
        })
    }

    fn has_scope(&self, principal: &ModelPrincipal, scope: usize) -> bool {
        let held = |&mine: &usize| reaches(&self.scope_includes, mine, scope);
        principal.scopes.iter().any(held)
    }

    fn covering(&self, operation: ModelOperation) -> impl Iterator<Item = &ModelRule> {
        let name = NAMES[operation.name];
        self.rules.iter().filter(move |rule| {
            let name = match (rule.is_method, operation.is_method) {
                (true, true) | (false, false) => name,
                (true, false) => "tools/call",
                (false, true) => return false,
            };
            let hits = |pattern: usize| matches(PATTERNS[pattern].as_bytes(), name.as_bytes());
            hits(rule.pattern) && !rule.except.is_some_and(hits)
        })
    }

    fn is_baseline(&self, operation: ModelOperation) -> bool {
        self.baseline && operation.is_method && NAMES[operation.name] == "tools/list"
    }

    fn decide(&self, principal: &ModelPrincipal, operation: ModelOperation) -> Decision {
        let covering: Vec<_> = self.covering(operation).collect();
        let baseline = self.is_baseline(operation);
        let uncovered = covering.is_empty() && !baseline;
        let denied = covering
            .iter()
            .any(|rule| matches!(rule.needs, ModelNeeds::Deny));
        if uncovered || denied {
            return Decision::Forbidden;
        }
        let somebody = |rule: &&ModelRule| matches!(rule.needs, ModelNeeds::Somebody { .. });
        if principal.anonymous {
            return if baseline || covering.iter().any(somebody) {
                Decision::CredentialsMissing
            } else {
                Decision::Admitted
            };
        }
        let mut scopes_held = true;
        for rule in covering {
            let ModelNeeds::Somebody {
                roles,
                capabilities,
                scopes,
            } = &rule.needs
            else {
                continue;
            };
            let role = roles.is_empty() || roles.iter().any(|r| self.has_role(principal, *r));
            if !role
                || !capabilities
                    .iter()
                    .all(|c| self.has_capability(principal, *c))
            {
                return Decision::Forbidden;
            }
            scopes_held &= scopes.iter().all(|s| self.has_scope(principal, *s));
        }
        if scopes_held {
            Decision::Admitted
        } else {
            Decision::ScopeInsufficient
        }
    }

    fn builder(&self) -> PolicyBuilder {
        let mut builder = Policy::builder().role("all", []).grant("all", CAPABILITIES);
        for (place, role) in ROLES.iter().enumerate() {
            let included = self.includes.iter().filter(|(from, _)| *from == place);
            builder = builder.role(role, included.map(|(_, to)| ROLES[*to]));
        }
        for (role, grant) in &self.grants {
            builder = builder.grant(ROLES[*role], [GRANTS[*grant]]);
        }
        for (scope, included) in &self.scope_includes {
            builder = builder.scope_includes(SCOPES[*scope], [SCOPES[*included]]);
        }
        for (place, rule) in self.rules.iter().enumerate() {
            builder = builder.rule(rule.rule(place));
        }
        if self.baseline {
            builder
        } else {
            builder.without_baseline()
        }
    }
}

impl ModelRule {
    fn rule(&self, place: usize) -> Rule {
        let pattern = PATTERNS[self.pattern];
        let mut rule = if self.is_method {
            Rule::method(pattern)
        } else {
            Rule::tool(pattern)
        };
        rule = rule.named(&place.to_string());
        if let Some(except) = self.except {
            rule = rule.except(PATTERNS[except]);
        }
        match &self.needs {
            ModelNeeds::Anyone => rule.anyone(),
            ModelNeeds::Deny => rule.deny(),
            ModelNeeds::Somebody {
                roles,
                capabilities,
                scopes,
            } => {
                rule = rule.identified();
                for role in roles {
                    rule = rule.role(ROLES[*role]);
                }
                for capability in capabilities {
                    rule = rule.capability(CAPABILITIES[*capability]);
                }
                for scope in scopes {
                    rule = rule.scope(SCOPES[*scope]);
                }
                rule
            }
        }
    }
}

impl ModelPrincipal {
    fn principal(&self) -> Principal {
        if self.anonymous {
            return Principal::anonymous();
        }
        let roles = self
            .roles
            .iter()
            .map(|role| ROLES[*role])
            .chain(["unknown"]);
        let scopes = self.scopes.iter().map(|scope| SCOPES[*scope]);
        Principal::user("i", "s")
            .roles(roles)
            .scopes(scopes)
            .build("jwt")
    }
}

impl ModelOperation {
    fn operation(self) -> Operation<'static> {
        if self.is_method {
            Operation::method(NAMES[self.name])
        } else {
            Operation::tool(NAMES[self.name])
        }
    }
}

fn some(of: usize, most: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::btree_set(0..of, 0..=most).prop_map(|set| set.into_iter().collect())
}

/// Pairs that lead from a smaller place to a larger one.
fn edges(of: usize) -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::btree_set((0..of, 0..of), 0..4)
        .prop_map(|set| set.into_iter().filter(|(a, b)| a < b).collect())
}

fn needs() -> impl Strategy<Value = ModelNeeds> {
    let somebody = (some(4, 2), some(4, 1), some(3, 2));
    prop_oneof![
        1 => Just(ModelNeeds::Anyone),
        1 => Just(ModelNeeds::Deny),
        8 => somebody.prop_map(|(roles, capabilities, scopes)| ModelNeeds::Somebody {
            roles,
            capabilities,
            scopes,
        }),
    ]
}

fn rule() -> impl Strategy<Value = ModelRule> {
    let except = prop::option::weighted(0.4, 1..PATTERNS.len());
    (any::<bool>(), 0..PATTERNS.len(), except, needs()).prop_map(
        |(is_method, pattern, except, needs)| ModelRule {
            is_method,
            pattern,
            except: except.filter(|except| takes_out(pattern, *except)),
            needs,
        },
    )
}

/// An exception that takes nothing out, or is from a single name, does not build.
fn takes_out(pattern: usize, except: usize) -> bool {
    let hits = |pattern: usize, name: &str| matches(PATTERNS[pattern].as_bytes(), name.as_bytes());
    PATTERNS[pattern].contains('*')
        && NAMES
            .iter()
            .any(|name| hits(pattern, name) && hits(except, name))
}

fn model() -> impl Strategy<Value = Model> {
    let grants = prop::collection::btree_set((0..4_usize, 0..GRANTS.len()), 0..6);
    let rules = prop::collection::vec(rule(), 0..6);
    (edges(4), grants, edges(3), rules, any::<bool>()).prop_map(
        |(includes, grants, scope_includes, rules, baseline)| Model {
            includes,
            grants: grants.into_iter().collect(),
            scope_includes,
            rules,
            baseline,
        },
    )
}

fn principal() -> impl Strategy<Value = ModelPrincipal> {
    (prop::bool::weighted(0.2), some(4, 2), some(3, 2)).prop_map(|(anonymous, roles, scopes)| {
        ModelPrincipal {
            anonymous,
            roles,
            scopes,
        }
    })
}

fn operation() -> impl Strategy<Value = ModelOperation> {
    (prop::bool::weighted(0.3), 0..NAMES.len())
        .prop_map(|(is_method, name)| ModelOperation { is_method, name })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_policy_decides_as_the_model_does(
        model in model(), principal in principal(), operation in operation(),
    ) {
        let policy = model.builder().build().unwrap();
        let asked = principal.principal();
        let decision = policy.decide(Some(&asked), &operation.operation());
        prop_assert_eq!(decision, model.decide(&principal, operation));
        prop_assert_eq!(policy.decide(None, &operation.operation()), Decision::Forbidden);
    }

    #[test]
    fn another_rule_never_opens_what_is_covered(
        model in model(), rule in rule(), principal in principal(), operation in operation(),
    ) {
        let before = model.builder().build().unwrap();
        let after = model.builder().rule(rule.rule(99)).build().unwrap();
        let covered = model.is_baseline(operation) || model.covering(operation).next().is_some();
        let (asked, operation) = (principal.principal(), operation.operation());
        let was = before.decide(Some(&asked), &operation).is_admitted();
        let is = after.decide(Some(&asked), &operation).is_admitted();
        prop_assert!(!covered || was || !is);
    }

    #[test]
    fn the_order_of_rules_does_not_matter(
        model in model(), principal in principal(), operation in operation(),
    ) {
        let mut turned = model.clone();
        turned.rules.reverse();
        let (asked, operation) = (principal.principal(), operation.operation());
        let ask = |model: &Model| {
            model.builder().build().unwrap().decide(Some(&asked), &operation)
        };
        prop_assert_eq!(ask(&model), ask(&turned));
    }

    #[test]
    fn globs_of_names_match_what_globset_matches(
        // Made so that none is refused: two stars side by side are.
        pattern in prop_oneof![
            "[a-c.]{1,2}(\\*[a-c./]{1,2}){0,2}\\*?",
            "\\*([a-c./]{1,2}\\*){0,2}[a-c./]{0,2}",
        ],
        name in "[a-c./]{0,8}",
    ) {
        let policy = Policy::builder().rule(Rule::tool(&pattern).anyone()).build().unwrap();
        let somebody = Principal::anonymous();
        let ours = policy.decide(Some(&somebody), &Operation::tool(&name)).is_admitted();
        let theirs = GlobBuilder::new(&pattern).literal_separator(false).build().unwrap();
        prop_assert_eq!(ours, theirs.compile_matcher().is_match(&name), "{} {}", pattern, name);
    }

    #[test]
    fn globs_of_resources_match_what_globset_matches(
        pattern in "(/([ab]{1,2}\\*?[ab]?|\\*[ab]?|\\*\\*)){1,4}",
        name in "(/[ab]{1,3}){1,5}",
    ) {
        let (pattern, name) = (format!("x://h{pattern}"), format!("x://h{name}"));
        let policy = Policy::builder().rule(Rule::resource(&pattern).anyone()).build().unwrap();
        let somebody = Principal::anonymous();
        let ours = policy.decide(Some(&somebody), &Operation::resource(&name)).is_admitted();
        let matches = |pattern: &str| {
            let glob = GlobBuilder::new(pattern).literal_separator(true).build().unwrap();
            glob.compile_matcher().is_match(&name)
        };
        // Ours also matches what `**` at the end stands below of.
        let mut folder = &*pattern;
        let mut theirs = matches(folder);
        while let Some(above) = folder.strip_suffix("/**") {
            folder = above;
            theirs |= matches(folder);
        }
        prop_assert_eq!(ours, theirs, "{} {}", pattern, name);
    }

    #[test]
    fn any_name_gets_an_answer(name in any::<String>(), uri in "(file://)?\\PC{0,40}") {
        let wide = Policy::builder().rule(Rule::resource("file:///a/**").anyone());
        let wide = wide.rule(Rule::tool("*a*b").anyone()).build().unwrap();
        let nobody = Principal::anonymous();
        wide.decide(Some(&nobody), &Operation::tool(&name));
        let uri = wide.decide(Some(&nobody), &Operation::resource(&uri)).is_admitted()
            .then_some(uri);
        if let Some(uri) = uri {
            prop_assert!(uri.starts_with("file:///a"));
        }
    }
}
