use cedar_policy::{
    Authorizer, Policy, PolicyId, PolicySet, ValidationMode, ValidationWarning, Validator,
};
use sha2::{Digest, Sha256};

use super::{
    CedarEngine, CedarError,
    actions::Actions,
    entities::{Known, Types},
    schema::{self, Declared},
};

/// Builds a [`CedarEngine`]. Nothing is checked before [`build`](Self::build), so order does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct CedarBuilder {
    policies: Vec<String>,
    entities: Option<String>,
    tools: Declared,
}

impl CedarBuilder {
    /// Adds policies. Records call each by its `@id("…")`, or else by its place in the text: `policy0`. Of
    /// several texts the later ones need ids.
    pub fn policies(mut self, text: &str) -> Self {
        self.policies.push(text.to_owned());
        self
    }

    /// What is known of roles, groups, tools and prompts, as Cedar's JSON of entities: which roles include
    /// which, which groups a tool is in, and its tags. A tool that is not said is in no group and has no tag.
    /// Another text takes the place of an earlier one.
    pub fn entities(mut self, json: &str) -> Self {
        self.entities = Some(json.to_owned());
        self
    }

    /// Lets policies see arguments of a tool, by their types in Cedar's schema format:
    /// `amount: Long, to: String, tags?: Set<String>, at?: { x: Long }`. They find them as
    /// `context.arguments.transfer.amount`, once they asked `context.arguments has transfer`, or
    /// `context.arguments["send-mail"]` if the name is none of Cedar's.
    ///
    /// A call that does not fit is denied: an argument of another type, one that is missing and has no `?`,
    /// `null`, a number that is no integer of 64 bits or not written as one, a name that differs only in
    /// case. Arguments that are not said are passed over, and policies cannot name them. A call hands over
    /// 64 KiB and 4,096 values at most.
    pub fn tool_arguments(mut self, tool: &str, types: &str) -> Self {
        self.tools.push((tool.to_owned(), types.to_owned()));
        self
    }

    /// Checks all that was said against the [schema](crate::CEDAR_SCHEMA), strictly.
    ///
    /// # Errors
    ///
    /// Names the policy and its place in the text:
    ///
    /// - text that is no policy, a template, and two policies of one id,
    /// - a policy that fits no request, compares what has different types, or reads what may not be there,
    /// - what Cedar warns of, as of a policy that can never apply, but names in other scripts,
    /// - entities that are not of the schema, or that come with requests,
    /// - a tool that is no name of MCP, or types that JSON has not.
    pub fn build(self) -> Result<CedarEngine, CedarError> {
        let version = self.version();
        let (schema, schema_text, tools) = schema::with(&self.tools)?;
        let mut policies = PolicySet::new();
        for text in &self.policies {
            add(&mut policies, text, &schema)?;
        }
        if policies.is_empty() {
            return Err(CedarError::new(
                "policies",
                "there is none, so nothing would be permitted",
            ));
        }
        let entities = self.entities.as_deref().unwrap_or("[]");
        Ok(CedarEngine {
            authorizer: Authorizer::new(),
            actions: Actions::of(&schema)?,
            types: Types::new()?,
            known: Known::of(entities, &schema, &policies)?,
            policies,
            schema,
            schema_text,
            tools,
            version,
        })
    }

    /// By the contents, as they were said.
    fn version(&self) -> String {
        let mut digest = Sha256::new();
        let mut add = |text: &str| {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        };
        for text in &self.policies {
            add(text);
        }
        add("entities");
        add(self.entities.as_deref().unwrap_or_default());
        for (tool, types) in &self.tools {
            add(tool);
            add(types);
        }
        let digits = digest.finalize();
        let digits = digits.iter().take(6).map(|byte| format!("{byte:02x}"));
        format!("cedar-{}", digits.collect::<String>())
    }
}

/// Adds the policies of a text under their own names, once each fits the schema.
fn add(to: &mut PolicySet, text: &str, schema: &cedar_policy::Schema) -> Result<(), CedarError> {
    let parsed: PolicySet = text
        .parse()
        .map_err(|error| CedarError::at("policies", text, &error))?;
    if let Some(template) = parsed.templates().next() {
        let what = format!("policy `{}`", template.id());
        return Err(CedarError::new(what, "is a template, which nothing links"));
    }
    let mut named = PolicySet::new();
    for policy in parsed.policies() {
        let policy = by_its_name(policy);
        let id = policy.id().clone();
        let twice = |_| CedarError::new(format!("policy `{id}`"), "has the id of another");
        named.add(policy.clone()).map_err(twice)?;
        to.add(policy).map_err(twice)?;
    }
    let result = Validator::new(schema.clone()).validate(&named, ValidationMode::Strict);
    if let Some(error) = result.validation_errors().next() {
        return Err(CedarError::at("policies", text, error));
    }
    // Names in other scripts are somebody's names.
    let is_of_script = |warning: &&ValidationWarning| {
        matches!(
            warning,
            ValidationWarning::ConfusableIdentifier(_)
                | ValidationWarning::MixedScriptIdentifier(_)
                | ValidationWarning::MixedScriptString(_)
        )
    };
    let mut warnings = result.validation_warnings();
    match warnings.find(|warning| !is_of_script(warning)) {
        Some(warning) => Err(CedarError::at("policies", text, warning)),
        None => Ok(()),
    }
}

fn by_its_name(policy: &Policy) -> Policy {
    match policy.annotation("id") {
        Some(name) => policy.new_id(PolicyId::new(name)),
        None => policy.clone(),
    }
}
