use sha2::{Digest, Sha256};

use crate::{Catalog, PolicyBuilder, RbacConfigError, Rule, conditions::canonical, rule::Target};

const MOST_BYTES: usize = 64;

/// How records call a policy: as was said, or by its contents and its engine.
pub(crate) fn version_of(policy: &PolicyBuilder) -> Result<Box<str>, RbacConfigError> {
    let Some(version) = &policy.version else {
        let contents = fingerprint(policy);
        return Ok(match policy.engines.first() {
            Some(engine) => format!("{contents}+{}", engine.version()?).into(),
            None => contents,
        });
    };
    check("version", version)?;
    Ok(version.as_str().into())
}

/// # Errors
///
/// If it could be misread in a record.
pub(crate) fn check(setting: &'static str, version: &str) -> Result<(), RbacConfigError> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(&b);
    if version.is_empty() || version.len() > MOST_BYTES || !version.bytes().all(legal) {
        let problem = "is not 1 to 64 characters of `A-Z a-z 0-9 - _ . : / + =`";
        return Err(RbacConfigError::new(setting, version, problem));
    }
    Ok(())
}

/// Twelve hexadecimal digits that two policies share if they say the same, in whatever order.
fn fingerprint(policy: &PolicyBuilder) -> Box<str> {
    let mut all = Canonical::default();
    for table in [&policy.roles, &policy.grants, &policy.scopes] {
        all.set(table.iter().map(|(name, list)| {
            let mut one = Canonical::default();
            one.text(name);
            one.texts(list);
            one
        }));
    }
    all.texts(&policy.capabilities);
    all.set(policy.rules.iter().map(rule));
    all.flag(policy.without_baseline);
    let annotations = policy.annotated.iter().flat_map(Catalog::annotations);
    all.set(annotations.map(|(tool, said)| {
        let mut one = Canonical::default();
        one.text(tool);
        for flag in [
            said.read_only,
            said.destructive,
            said.idempotent,
            said.open_world,
        ] {
            one.flag(flag);
        }
        one
    }));
    // Said only where there are some, so that policies of before keep their versions.
    if !policy.honey.is_empty() {
        all.text("honey");
        all.set(policy.honey.iter().map(|tool| {
            let mut one = Canonical::default();
            one.text(&tool.name);
            one.texts(&tool.shown_to);
            one.texts(tool.definition.as_slice());
            one
        }));
    }
    let digest = Sha256::digest(&all.0);
    let digits = digest.iter().take(6).map(|byte| format!("{byte:02x}"));
    digits.collect::<String>().into()
}

fn rule(rule: &Rule) -> Canonical {
    let (kind, pattern) = match &rule.target {
        Target::Tool(pattern) => ("tool", &**pattern),
        Target::Resource(pattern) => ("resource", &**pattern),
        Target::Prompt(pattern) => ("prompt", &**pattern),
        Target::Method(pattern) => ("method", &**pattern),
        Target::Annotated(annotation) => ("annotated", annotation.name()),
        Target::Stream => ("stream", ""),
        Target::EndSession => ("end_session", ""),
        Target::Response => ("response", ""),
    };
    let mut one = Canonical::default();
    one.text(kind);
    one.text(pattern);
    one.text(&rule.name());
    one.flag(rule.any_role.is_some());
    one.texts(rule.any_role.as_deref().unwrap_or_default());
    for list in [&rule.except, &rule.capabilities, &rule.scopes] {
        one.texts(list);
    }
    for flag in [rule.identified, rule.anyone, rule.deny] {
        one.flag(flag);
    }
    one.set(rule.requires.iter().map(canonical));
    // Said only where it is, so that policies of before keep their versions.
    if let Some(approver) = &rule.approval {
        one.text("approval");
        for name in [&approver.role, &approver.capability] {
            one.texts(name.as_slice());
        }
    }
    if rule.hidden {
        one.text("hidden");
    }
    one
}

/// Bytes from which what was put in can be read in one way only.
#[derive(Default)]
pub(crate) struct Canonical(Vec<u8>);

impl Canonical {
    pub(crate) fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&(count as u64).to_be_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn words(&mut self, kind: &str, text: &str) {
        self.text(kind);
        self.text(text);
    }

    /// In the order in which they came.
    pub(crate) fn list(&mut self, texts: &[String]) {
        self.count(texts.len());
        for text in texts {
            self.text(text);
        }
    }

    fn texts(&mut self, texts: &[String]) {
        self.set(texts.iter().map(|text| {
            let mut one = Self::default();
            one.text(text);
            one
        }));
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// In their own order, so that the order in which they came does not count.
    pub(crate) fn set(&mut self, parts: impl Iterator<Item = Self>) {
        let mut parts: Vec<_> = parts.map(|part| part.0).collect();
        parts.sort_unstable();
        self.count(parts.len());
        for part in parts {
            self.0.extend_from_slice(&part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Answer, Condition, EngineError, HoneyTool, Policy, PolicyEngine, Question, ToolAnnotations,
    };

    fn base() -> PolicyBuilder {
        Policy::builder()
            .role("a", ["b"])
            .role("b", [])
            .grant("a", ["x:read"])
            .rule(Rule::tool("t").role("a"))
            .rule(Rule::tool("u").capability("x:read"))
    }

    fn argument() -> crate::Argument {
        Condition::argument("a")
    }

    /// Permits everything, by this version.
    struct Engine(&'static str);

    impl PolicyEngine for Engine {
        fn decide(&self, _: &Question<'_>) -> Result<Answer, EngineError> {
            Ok(Answer::permit())
        }

        fn version(&self) -> &str {
            self.0
        }
    }

    fn annotated(change: impl Fn(&mut ToolAnnotations)) -> PolicyBuilder {
        let mut tool = ToolAnnotations::default();
        change(&mut tool);
        base().annotated_tools(Catalog::default().annotated_tool("t", tool))
    }

    fn requires(condition: Condition) -> PolicyBuilder {
        base().rule(Rule::tool("v").identified().requires(condition))
    }

    fn version(builder: PolicyBuilder) -> String {
        builder.build().unwrap().version().to_owned()
    }

    #[test]
    fn the_version_is_what_was_said_or_that_of_the_contents() {
        assert_eq!(version(base().version("2026-11-26.1")), "2026-11-26.1");
        // Written down: it is to be the same on every machine and with every compiler.
        assert_eq!(version(base()), "f4d53a65eaac");
        let reordered = Policy::builder()
            .rule(Rule::tool("u").capability("x:read"))
            .rule(Rule::tool("t").role("a"))
            .grant("a", ["x:read"])
            .role("b", [])
            .role("a", ["b"]);
        assert_eq!(version(reordered), version(base()));
    }

    #[test]
    fn whatever_the_policy_says_else_is_another_version() {
        let others = [
            base(),
            base().role("c", []),
            base().grant("b", ["x:read"]),
            base().capability("y"),
            base().scope_includes("s", ["t"]),
            base().without_baseline(),
            base().rule(Rule::tool("v").role("a")),
            base().rule(Rule::prompt("v").role("a")),
            base().rule(Rule::tool("v").role("b")),
            base().rule(Rule::tool("v").any_role(["a", "b"])),
            base().rule(Rule::tool("v").scope("a")),
            base().rule(Rule::tool("v").role("a").approval()),
            base().rule(Rule::tool("v").role("a").approver_role("a")),
            base().rule(Rule::tool("v").role("a").approver_role("b")),
            base().rule(
                Rule::tool("v")
                    .role("a")
                    .approver_role("b")
                    .approver_capability("x:read"),
            ),
            base().rule(Rule::tool("v").role("a").approver_capability("x:read")),
            base().rule(Rule::tool("v").identified()),
            base().rule(Rule::tool("v").anyone()),
            base().rule(Rule::tool("v").deny()),
            base().rule(Rule::tool("v").deny().named("w")),
            base().rule(Rule::tool("v").deny().hidden()),
            base().rule(Rule::tool("v*").deny()),
            base().rule(Rule::tool("v*").deny().except("vw")),
            base().rule(Rule::stream().deny()),
            base().rule(Rule::end_session().deny()),
            base().rule(Rule::response().deny()),
            base().rule(Rule::method("v").deny()),
            base().rule(Rule::resource("x://h/*").identified()),
            base().rule(Rule::resource("x://h/{subject}").identified()),
            base().rule(Rule::resource("x://h/{tenant}").identified()),
            base().engine(Engine("1")),
            base().engine(Engine("2")),
            base().engine(Engine("2")).delegate(),
            annotated(|_| {}),
            annotated(|tool| tool.read_only = true),
            annotated(|tool| tool.destructive = false),
            annotated(|tool| tool.idempotent = true),
            annotated(|tool| tool.open_world = false),
            base()
                .annotated_tools(Catalog::default().tool("t"))
                .rule(Rule::annotated(crate::Annotation::Idempotent).deny()),
            base().honey_tool(HoneyTool::new("v")),
            base().honey_tool(HoneyTool::new("v").shown_to(["a"])),
            base().honey_tool(
                HoneyTool::new("v").definition(r#"{"name":"v","description":"","inputSchema":{}}"#),
            ),
            requires(argument().is_subject()),
            requires(argument().is_tenant()),
            requires(argument().is_client()),
            requires(argument().is(crate::Attribute::Service)),
            requires(argument().or_absent().is_subject()),
            requires(argument().each().is_subject()),
            requires(argument().member("b").is_subject()),
            requires(argument().each().member("b").is_subject()),
            requires(argument().one_of(["true"])),
            requires(argument().one_of([true])),
            requires(argument().one_of(["true", "x"])),
            requires(argument().between(1..)),
            requires(argument().between(..=1)),
            requires(argument().starts_with("x")),
            requires(argument().matches("x")),
            requires(argument().within("x")),
            requires(argument().matches_uri("x:y")),
            requires(argument().at_most_items(1)),
            requires(argument().at_most_items(2)),
            requires(Condition::argument("b").at_most_items(2)),
            requires(Condition::role("a")),
            requires(Condition::role("b")),
            requires(Condition::capability("x:read")),
            requires(Condition::issuer("a")),
            requires(Condition::any_of([Condition::role("a")])),
            requires(Condition::any_of([
                Condition::role("a"),
                Condition::role("b"),
            ])),
        ];
        let versions: Vec<_> = others.map(version).into();
        for (place, one) in versions.iter().enumerate() {
            assert!(!versions[..place].contains(one), "{place}");
        }
    }

    #[test]
    fn a_version_that_could_be_misread_in_a_record_does_not_build() {
        for bad in ["", "a b", "a`", "a;", "ä", "a\n", &"a".repeat(65)] {
            let error = base().version(bad).build().unwrap_err().to_string();
            assert!(error.starts_with("version `"), "{error}");
        }
    }
}
