use std::sync::Arc;

use bartizan_core::{CallLimits, Events};
use tower_layer::Layer;

use crate::{
    Answers, ArgumentLimits, Fingerprint, Learning, OnChange, Pins, Schema, Validate,
    ValidateConfigError,
    rules::{Rules, ToolRules},
};

/// Lets a call of a tool pass if its arguments are what they may be.
///
/// The [crate's documentation](crate) has an example and the order of its decisions.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ValidateLayer {
    rules: Arc<Rules>,
}

impl ValidateLayer {
    /// A layer that learns the schemas of all tools from the server behind it, and refuses tools that are none of
    /// its.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }

    fn with_tool(self, tool: &str, change: impl FnOnce(&mut ToolRules)) -> Self {
        self.with(|rules| change(rules.tools.entry(tool.into()).or_default()))
    }

    /// What arguments may measure that no other limits are set for.
    pub fn limits(self, limits: ArgumentLimits) -> Self {
        self.with(|rules| rules.limits = limits)
    }

    /// What the arguments of this tool may measure, instead.
    pub fn tool_limits(self, tool: &str, limits: ArgumentLimits) -> Self {
        self.with_tool(tool, |rules| rules.limits = Some(limits))
    }

    /// The schema of this tool's arguments, as JSON text, whatever the server says.
    ///
    /// # Errors
    ///
    /// If it is [not taken](Schema::compile), or the tool has one already.
    pub fn schema(self, tool: &str, schema: &str) -> Result<Self, ValidateConfigError> {
        let own = self.rules.tools.get(tool);
        let has_one = own.is_some_and(|own| own.schema.is_some());
        let schema = compiled("schema of tool", tool, schema, has_one)?;
        Ok(self.with_tool(tool, |rules| rules.schema = Some(schema)))
    }

    /// How the answers of tools are judged by the schemas that these declare. By default not at all.
    pub fn answers(self, how: Answers) -> Self {
        self.with(|rules| rules.answers = Some(how))
    }

    /// What is looked for in arguments and answers of tools that nothing else is set for. By default nothing.
    #[cfg(feature = "screening")]
    pub fn screening(self, what: crate::Screening) -> Self {
        self.with(|rules| rules.screening = what)
    }

    /// What is looked for in the arguments and answers of this tool, instead.
    #[cfg(feature = "screening")]
    pub fn tool_screening(self, tool: &str, what: crate::Screening) -> Self {
        self.with_tool(tool, |rules| rules.screening = Some(what))
    }

    /// The schema of this tool's `structuredContent`, as JSON text, whatever the server says. Without
    /// [`answers`](Self::answers) nothing is judged by it.
    ///
    /// # Errors
    ///
    /// If it is [not taken](Schema::compile), or the tool has one already.
    pub fn output_schema(self, tool: &str, schema: &str) -> Result<Self, ValidateConfigError> {
        let own = self.rules.tools.get(tool);
        let has_one = own.is_some_and(|own| own.output.is_some());
        let schema = compiled("output schema of tool", tool, schema, has_one)?;
        Ok(self.with_tool(tool, |rules| rules.output = Some(schema)))
    }

    /// The type of this tool's arguments, whatever the server says: they are read as one, and judged by its
    /// [`Validate`](validator::Validate). If the tool has a [schema](Self::schema) too, they are judged by both.
    ///
    /// The tool gets what was sent, and reads it again: see [`typed`](crate::typed).
    #[cfg(feature = "typed")]
    pub fn typed<T>(self, tool: &str) -> Self
    where
        T: serde::de::DeserializeOwned + validator::Validate + 'static,
    {
        self.with_tool(tool, |rules| {
            rules.typed = Some(crate::typed::Typed::of::<T>());
        })
    }

    /// How schemas are learned from the server.
    pub fn learning(self, how: Learning) -> Self {
        self.with(|rules| rules.learning = Some(how))
    }

    /// Never asks the server: tools without a [schema](Self::schema) are refused.
    pub fn without_learning(self) -> Self {
        self.with(|rules| rules.learning = None)
    }

    /// Lets calls of this tool pass by limits alone.
    pub fn danger_without_schema(self, tool: &str) -> Self {
        self.with_tool(tool, |rules| rules.needs_no_schema = true)
    }

    /// Lets calls of tools pass by limits alone whose schema nobody knows, also because the server did not list them.
    pub fn danger_unknown_tools(self) -> Self {
        self.with(|rules| rules.admits_unknown = true)
    }

    /// What tools are pinned to.
    pub fn pins(self, pins: Pins) -> Self {
        self.with(|rules| rules.pins = pins)
    }

    /// Pins one tool.
    pub fn pin(self, tool: &str, fingerprint: Fingerprint) -> Self {
        self.rules.pins.pin(tool, fingerprint);
        self
    }

    /// What follows if a tool is not any more what it was pinned to. By default an event.
    pub fn on_change(self, what: OnChange) -> Self {
        self.with(|rules| rules.on_change = what)
    }

    /// Where events go: `tools_learned`, `tools_unknown`, `tool_changed`, `tool_ambiguous`, `schema_refused`.
    pub fn events(self, events: Events) -> Self {
        self.with(|rules| rules.events = events)
    }

    /// What a call may measure (IV-6, IV-7). By default [`CallLimits::new`].
    pub fn call_limits(self, limits: CallLimits) -> Self {
        self.with(|rules| rules.call_limits = limits)
    }
}

fn compiled(
    setting: &'static str,
    tool: &str,
    schema: &str,
    has_one: bool,
) -> Result<Arc<Schema>, ValidateConfigError> {
    let error = |problem| ValidateConfigError::new(setting, tool, problem);
    let schema = Schema::compile(schema).map_err(|why| error(format!("is not taken: {why}")))?;
    match has_one {
        true => Err(error("is there twice".to_owned())),
        false => Ok(Arc::new(schema)),
    }
}

impl<S> Layer<S> for ValidateLayer {
    type Service = Validate<S>;

    /// What is learned of one service is not known of another.
    fn layer(&self, inner: S) -> Self::Service {
        Validate::new(inner, Arc::clone(&self.rules))
    }
}
