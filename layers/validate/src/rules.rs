use std::{collections::HashMap, sync::Arc};

use bartizan_core::{Call, CallLimits, Denial, DenialKind, Events, SecurityContext, admit};
use http::HeaderMap;

use crate::{
    Answers, ArgumentLimits, Fingerprint, Learning, OnChange, Pins, Schema, SchemaError, Violation,
    answer,
    answers::{Lens, Output},
    document::{Document, Refused},
    learn::{Found, Known, Outcome, Tool},
};

/// What a layer judges by.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) call_limits: CallLimits,
    pub(crate) limits: ArgumentLimits,
    pub(crate) tools: HashMap<Box<str>, ToolRules>,
    /// Whether tools pass whose schema nobody knows.
    pub(crate) admits_unknown: bool,
    pub(crate) learning: Option<Learning>,
    pub(crate) pins: Pins,
    pub(crate) on_change: OnChange,
    pub(crate) events: Events,
    /// How answers are judged; `None` if they are not.
    pub(crate) answers: Option<Answers>,
    #[cfg(feature = "screening")]
    pub(crate) screening: crate::Screening,
}

/// What is set for one tool.
#[derive(Debug, Clone, Default)]
pub(crate) struct ToolRules {
    pub(crate) limits: Option<ArgumentLimits>,
    pub(crate) schema: Option<Arc<Schema>>,
    pub(crate) output: Option<Arc<Schema>>,
    pub(crate) needs_no_schema: bool,
    #[cfg(feature = "screening")]
    pub(crate) screening: Option<crate::Screening>,
    #[cfg(feature = "typed")]
    pub(crate) typed: Option<crate::typed::Typed>,
}

impl ToolRules {
    /// Whether it is said here what the arguments may be.
    fn has_input(&self) -> bool {
        self.schema.is_some() || self.has_type()
    }

    /// Whether a type says what the arguments may be.
    fn has_type(&self) -> bool {
        #[cfg(feature = "typed")]
        return self.typed.is_some();
        #[cfg(not(feature = "typed"))]
        false
    }

    /// Judges by the type, if there is one.
    fn judge_typed(&self, text: &str) -> Result<(), Vec<Violation>> {
        #[cfg(feature = "typed")]
        if let Some(typed) = &self.typed {
            return typed.judge(text);
        }
        let _ = text;
        Ok(())
    }
}

/// What becomes of a call.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Its answer is judged by this, if by anything.
    Pass(Option<Output>),
    Refuse(Denial),
    /// The server has to be asked first.
    Ask,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            call_limits: CallLimits::new(),
            limits: ArgumentLimits::new(),
            tools: HashMap::new(),
            admits_unknown: false,
            learning: Some(Learning::new()),
            pins: Pins::new(),
            on_change: OnChange::Report,
            events: Events::default(),
            answers: None,
            #[cfg(feature = "screening")]
            screening: crate::Screening::new(),
        }
    }
}

impl Rules {
    /// Judges a call by what is known now.
    pub(crate) fn judge(
        &self,
        known: Option<&Known>,
        call: &Call,
        context: &SecurityContext,
        headers: &HeaderMap,
    ) -> Verdict {
        if call.method() != "tools/call" {
            admit!("validate", context, "no_tool");
            return Verdict::Pass(None);
        }
        let tool = call.name().unwrap_or_default();
        let own = self.tools.get(tool);
        let has_input = own.is_some_and(ToolRules::has_input);
        let needs_none = own.is_some_and(|own| own.needs_no_schema);
        // What the arguments may be is known, but what the results are may be not.
        if has_input && (needs_none || known.is_none() || !self.learns_output(own)) {
            return self.fits(None, call, context);
        }
        match known.filter(|_| !needs_none) {
            Some(known) => match known.find(tool, context, headers) {
                Found::Ask => Verdict::Ask,
                found => self.judge_found(known, found, call, context),
            },
            None if self.admits_unknown || needs_none => self.fits(None, call, context),
            None => Verdict::Refuse(answer::unknown(call)),
        }
    }

    /// Whether the server is to say what this tool's results are.
    fn learns_output(&self, own: Option<&ToolRules>) -> bool {
        self.answers.is_some() && own.is_none_or(|own| own.output.is_none())
    }

    /// Whether a call passes whose tool the server does not list.
    fn admits_unlisted(&self, call: &Call) -> bool {
        let own = call.name().and_then(|tool| self.tools.get(tool));
        self.admits_unknown || own.is_some_and(ToolRules::has_input)
    }

    /// Judges a call by what the server said.
    pub(crate) fn judge_learned(
        &self,
        known: &Known,
        outcome: Outcome,
        call: &Call,
        context: &SecurityContext,
    ) -> Verdict {
        match outcome {
            Outcome::Found(found) => self.judge_found(known, found, call, context),
            Outcome::Failed(_) if self.admits_unknown => self.fits(None, call, context),
            Outcome::Failed(_) if self.admits_unlisted(call) && !self.withholds_answers() => {
                self.fits(None, call, context)
            }
            Outcome::Failed(why) => {
                let reason = format!("the list of tools {}", why.0);
                Verdict::Refuse(Denial::new(DenialKind::Unavailable, reason))
            }
        }
    }

    fn judge_found(
        &self,
        known: &Known,
        found: Found,
        call: &Call,
        context: &SecurityContext,
    ) -> Verdict {
        let refuse = |message, reason: String| {
            let denial = Denial::new(DenialKind::Forbidden, reason);
            Verdict::Refuse(denial.with_message(message))
        };
        match found {
            Found::Tool(tool) => match self.schemas(call, &tool) {
                Ok(()) => {
                    if self.answers.is_some()
                        && let Some(Err(error)) = tool.output()
                        && tool.tell_once()
                    {
                        known.tell_bad_schema(call.name().unwrap_or_default(), error);
                    }
                    self.fits(Some(&tool), call, context)
                }
                Err((message, error)) => {
                    if tool.tell_once() {
                        known.tell_bad_schema(call.name().unwrap_or_default(), error);
                    }
                    refuse(message, error.to_string())
                }
            },
            Found::Changed => {
                let reason = "the tool is not what it was pinned to".to_owned();
                refuse("the tool changed, and waits to be looked at", reason)
            }
            Found::None | Found::Ask if self.admits_unlisted(call) => {
                self.fits(None, call, context)
            }
            Found::None | Found::Ask => Verdict::Refuse(answer::unknown(call)),
        }
    }

    /// Whether what is needed of the schemas that a tool declares is taken.
    fn schemas<'t>(
        &self,
        call: &Call,
        tool: &'t Tool,
    ) -> Result<(), (&'static str, &'t SchemaError)> {
        let own = call.name().and_then(|tool| self.tools.get(tool));
        if !own.is_some_and(ToolRules::has_input) {
            let unsupported = |error| ("the tool's schema is not supported", error);
            tool.schema().map_err(unsupported)?;
        }
        if self.withholds_answers() && self.learns_output(own) {
            let unsupported = |error| ("the schema of the tool's results is not supported", error);
            tool.output().transpose().map_err(unsupported)?;
        }
        Ok(())
    }

    /// Looks for what the arguments must not have in them.
    fn screened(
        &self,
        own: Option<&ToolRules>,
        text: &str,
        context: &SecurityContext,
    ) -> Result<(), Vec<Violation>> {
        #[cfg(feature = "screening")]
        {
            let screen = self.screening_of(own).of_arguments();
            if screen.is_blind() {
                return Ok(());
            }
            let (reported, refused) = screen.look(text);
            if !reported.is_empty() {
                let reason = format!("the arguments look like {reported}");
                bartizan_core::note!("validate", context, "screened", reason);
            }
            if !refused.is_empty() {
                let violation = |detector: crate::Detector| {
                    let problem = format!("a text in them looks like {}", detector.told());
                    Violation::new(String::new(), detector.rule(), problem)
                };
                return Err(refused.iter().map(violation).collect());
            }
        }
        let _ = (own, text, context);
        Ok(())
    }

    #[cfg(feature = "screening")]
    fn screening_of(&self, own: Option<&ToolRules>) -> crate::Screening {
        let own = own.and_then(|own| own.screening);
        own.unwrap_or(self.screening)
    }

    /// What looks at the answer to a call that passed.
    pub(crate) fn lens(
        &self,
        output: Option<Output>,
        call: &Call,
        context: &SecurityContext,
    ) -> Option<Lens> {
        #[cfg(feature = "screening")]
        {
            let own = call.name().and_then(|tool| self.tools.get(tool));
            let screen = self.screening_of(own).of_answers();
            let is_call = call.method() == "tools/call";
            if is_call && !(screen.is_blind() && output.is_none()) {
                return Some(Lens::screening(self.answers, output, screen, context));
            }
        }
        let _ = call;
        Some(Lens::of(self.answers?, output?, context))
    }

    fn withholds_answers(&self) -> bool {
        self.answers.is_some_and(|answers| answers.refuses)
    }

    /// What the answer is judged by.
    fn output(&self, own: Option<&ToolRules>, tool: Option<&Arc<Tool>>) -> Option<Output> {
        let _ = self.answers?;
        if let Some(own) = own.and_then(|own| own.output.as_ref()) {
            return Some(Output::Given(Arc::clone(own)));
        }
        let tool = tool.filter(|tool| matches!(tool.output(), Some(Ok(_))))?;
        Some(Output::Learned(Arc::clone(tool)))
    }

    /// Judges the arguments, by what is given or by what the tool says of itself.
    fn fits(&self, tool: Option<&Arc<Tool>>, call: &Call, context: &SecurityContext) -> Verdict {
        let own = call.name().and_then(|tool| self.tools.get(tool));
        let given = own.and_then(|own| own.schema.as_deref());
        let schema = match tool.filter(|_| !own.is_some_and(ToolRules::has_input)) {
            None => given.map(|schema| (schema, None)),
            Some(tool) => match tool.schema() {
                Ok(schema) => Some((schema, Some(tool.fingerprint))),
                // It was looked at before.
                Err(error) => {
                    let denial = Denial::new(DenialKind::Internal, error.to_string());
                    return Verdict::Refuse(denial);
                }
            },
        };
        let limits = own.and_then(|own| own.limits.as_ref());
        let limits = limits.unwrap_or(&self.limits);
        // Servers take `null` for no arguments, and none for an empty object.
        let text = call
            .arguments()
            .filter(|text| *text != "null")
            .unwrap_or("{}");
        if !text.starts_with('{') {
            let reason = "the arguments are no object";
            let denial = Denial::new(DenialKind::ParamsInvalid, reason);
            return Verdict::Refuse(denial.with_message(reason));
        }
        let judged = judged(text, limits, schema.map(|(schema, _)| schema));
        let judged = judged
            .and_then(|()| own.map_or(Ok(()), |own| own.judge_typed(text).map_err(Ok)))
            .and_then(|()| self.screened(own, text, context).map_err(Ok));
        match judged {
            Ok(()) => {
                admit!("validate", context, "arguments_fit", shown(schema));
                Verdict::Pass(self.output(own, tool))
            }
            Err(Ok(violations)) => Verdict::Refuse(answer::refused(call, &violations)),
            // The call was read strictly before.
            Err(Err(reason)) => Verdict::Refuse(Denial::new(DenialKind::Internal, reason)),
        }
    }
}

fn judged(
    text: &str,
    limits: &ArgumentLimits,
    schema: Option<&Schema>,
) -> Result<(), Result<Vec<Violation>, &'static str>> {
    let document = match Document::read(text, limits) {
        Ok(document) => document,
        Err(Refused::Limit(violation)) => return Err(Ok(vec![*violation])),
        Err(Refused::Broken) => return Err(Err("arguments that were read are no JSON")),
    };
    match schema {
        Some(schema) => schema.judge(&document).map_err(Ok),
        None => Ok(()),
    }
}

/// By what the arguments fit, for the record.
fn shown(schema: Option<(&Schema, Option<Fingerprint>)>) -> String {
    match schema {
        None => "within limits".to_owned(),
        Some((_, None)) => "a given schema".to_owned(),
        Some((_, Some(fingerprint))) => format!("tool {fingerprint}"),
    }
}
