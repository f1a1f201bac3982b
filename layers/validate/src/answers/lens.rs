use std::{borrow::Cow, sync::Arc};

use bartizan_core::{
    Call, CallKind, Denial, DenialKind, Finding, SecurityContext, Verdict, call::Revision, note,
    write_json_string,
};

use super::{
    Answers,
    message::{self, Fault, Message, ToolResult},
};
use crate::{
    ArgumentLimits, Characters, Schema, Violation,
    answer::{self, TOLD},
    document::{Document, Refused},
    learn::Tool,
};

/// What a tool says of its results.
#[derive(Debug, Clone)]
pub(crate) enum Output {
    /// By configuration.
    Given(Arc<Schema>),
    /// By the server's list; the schema is there, and taken.
    Learned(Arc<Tool>),
}

impl Output {
    fn schema(&self) -> Option<&Schema> {
        match self {
            Self::Given(schema) => Some(schema),
            Self::Learned(tool) => tool.output()?.ok(),
        }
    }

    /// For the record.
    fn shown(&self) -> String {
        match self {
            Self::Given(_) => "a given schema".to_owned(),
            Self::Learned(tool) => format!("tool {}", tool.fingerprint),
        }
    }
}

/// What the answer to one call is judged by.
#[derive(Debug)]
pub(crate) struct Lens {
    how: Answers,
    output: Option<Output>,
    #[cfg(feature = "screening")]
    screen: Option<crate::screen::Screen>,
    /// Whether the answer is a failure of HTTP, which is no message.
    is_failure: bool,
    context: SecurityContext,
    told: Told,
}

/// Why an answer does not fit, for the operator.
type Unfit = Cow<'static, str>;

/// What the record has of this answer: each thing once, so that a server that answers again and again pushes nothing out of it.
#[derive(Debug, Default)]
struct Told {
    fits: bool,
    unfit: Vec<String>,
    #[cfg(feature = "screening")]
    screened: crate::screen::Found,
}

/// Most notes on what does not fit.
const UNFIT: usize = 8;

/// What answers are read within, besides their length.
const ANSWER_LIMITS: ArgumentLimits = ArgumentLimits {
    depth: 96,
    members: 1_000_000,
    elements: 10_000_000,
    values: 10_000_000,
    string_bytes: 64 << 20,
    name_bytes: 64 << 10,
    characters: Characters::any(),
    ..ArgumentLimits::new()
};

impl Lens {
    /// For the answer to a call, also to one without an id, which a server may answer all the same.
    pub(crate) fn of(how: Answers, output: Output, context: &SecurityContext) -> Self {
        Self {
            how,
            output: Some(output),
            #[cfg(feature = "screening")]
            screen: None,
            is_failure: false,
            context: context.clone(),
            told: Told::default(),
        }
    }

    /// The same, where it is looked for what it must not have in it.
    #[cfg(feature = "screening")]
    pub(crate) fn screening(
        how: Option<Answers>,
        output: Option<Output>,
        screen: crate::screen::Screen,
        context: &SecurityContext,
    ) -> Self {
        Self {
            how: how.unwrap_or(Answers::report()),
            output,
            screen: (!screen.is_blind()).then_some(screen),
            is_failure: false,
            context: context.clone(),
            told: Told::default(),
        }
    }

    /// Whether something may be withheld.
    pub(super) fn holds(&self) -> bool {
        #[cfg(feature = "screening")]
        if self.screen.is_some_and(crate::screen::Screen::refuses) {
            return true;
        }
        self.how.refuses && self.output.is_some()
    }

    /// Turns to a failure of HTTP: no client reads that as a result, but what it must not have in it is looked for all the same.
    /// Tells whether anything is.
    pub(super) fn turn_to_failure(&mut self) -> bool {
        self.output = None;
        self.is_failure = true;
        #[cfg(feature = "screening")]
        return self.screen.is_some();
        #[cfg(not(feature = "screening"))]
        false
    }

    /// Whether the answer is a failure of HTTP, which may be text of any kind.
    pub(super) fn is_failure(&self) -> bool {
        self.is_failure
    }

    /// Whether nothing may be answered, so that a body of any kind is one too many.
    pub(super) fn is_to_nobody(&self) -> bool {
        let call = self.context.call();
        call.is_none_or(|call| call.kind() != CallKind::Request)
    }

    /// Most bytes of one answer.
    pub(super) fn most(&self) -> usize {
        self.how.bytes
    }

    pub(super) fn context(&self) -> &SecurityContext {
        &self.context
    }

    /// Judges a message of the server's, or what it says of its failure.
    pub(super) fn judge(&mut self, text: &[u8]) -> Result<(), Cow<'static, str>> {
        if self.is_failure {
            return self.screened(&String::from_utf8_lossy(text));
        }
        if text.is_empty() && self.is_to_nobody() {
            return Ok(());
        }
        // The parser does not look into the strings that it skips.
        let text = std::str::from_utf8(text).map_err(|_| "is not UTF-8")?;
        match self.judge_result(text)? {
            Some(Err(why)) if self.how.refuses => return Err(why),
            // Something else may be withheld.
            Some(Err(why)) => self.note(&why),
            Some(Ok(())) => self.fits(),
            None => {}
        }
        self.screened(text)
    }

    /// What becomes of a result, if the message is one and something says what it may be.
    fn judge_result(&self, text: &str) -> Result<Option<Result<(), Unfit>>, Unfit> {
        let call = self.context.call().ok_or("is to no request")?;
        let request = call.id().ok_or("is to no request")?;
        let message = message::read(text, request).map_err(|Fault(why)| why)?;
        let (Some(output), Message::Result(result)) = (&self.output, message) else {
            return Ok(None);
        };
        let schema = output.schema().ok_or("is judged by nothing")?;
        Ok(Some(fits(&result, schema, call)))
    }

    /// Looks for what an answer must not have in it.
    fn screened(&mut self, text: &str) -> Result<(), Cow<'static, str>> {
        #[cfg(feature = "screening")]
        if let Some(screen) = self.screen {
            let (reported, refused) = screen.look(text);
            let new = reported.without(self.told.screened);
            if !new.is_empty() {
                self.told.screened = self.told.screened.or(new);
                let reason = reason(&format!("looks like {new}"));
                note!("validate", &self.context, "screened", reason);
            }
            if !refused.is_empty() {
                return Err(format!("looks like {refused}").into());
            }
        }
        let _ = text;
        Ok(())
    }

    fn fits(&mut self) {
        if std::mem::replace(&mut self.told.fits, true) {
            return;
        }
        let shown = self.output.as_ref().map(Output::shown).unwrap_or_default();
        let finding = || Finding::new("validate", Verdict::Allowed, "answer_fits", shown);
        self.context.record(finding);
    }

    /// Tells the operator what is wrong, and nobody else.
    pub(super) fn note(&mut self, why: &str) {
        let unfit = &mut self.told.unfit;
        if unfit.len() < UNFIT && !unfit.iter().any(|told| told == why) {
            unfit.push(why.to_owned());
            note!("validate", &self.context, "answer_unfit", reason(why));
        }
    }

    /// What the caller is told instead.
    pub(super) fn denial(&self, why: &str) -> (Denial, String) {
        let denial = Denial::new(DenialKind::AnswerRefused, reason(why));
        let mut body = String::new();
        if let Some(call) = self.context.call() {
            body = answer::body(call, |body| {
                body.push_str(r#""error":{"code":-32603,"message":"#);
                write_json_string(body, denial.message());
                body.push_str(r#","data":{"correlationId":"#);
                write_json_string(body, self.context.correlation_id().as_str());
                body.push_str("}}");
            });
        }
        let denial = match self.is_to_nobody() {
            true => denial,
            false => denial.disguised(answer::answer(body.clone())),
        };
        (denial, body)
    }
}

fn reason(why: &str) -> String {
    format!("the tool's answer {why}")
}

/// Judges the result of a tool.
fn fits(result: &ToolResult<'_>, schema: &Schema, call: &Call) -> Result<(), Cow<'static, str>> {
    let Some(structured) = result.structured else {
        return match result.is_error || goes_on(result, call) {
            true => Ok(()),
            false => Err("has no structured content".into()),
        };
    };
    let document = Document::read(structured, &ANSWER_LIMITS).map_err(|refused| match refused {
        Refused::Broken => Cow::from("is not JSON"),
        Refused::Limit(violation) => breaks(&[*violation]),
    })?;
    if document.repeats_a_member() {
        return Err("has a member twice".into());
    }
    match schema.judge(&document) {
        // Readers take `null` for none.
        Err(_) if structured == "null" && (result.is_error || goes_on(result, call)) => Ok(()),
        judged => judged.map_err(|violations| breaks(&violations)),
    }
}

/// Whether it is not the call's last result, to who made the call.
fn goes_on(result: &ToolResult<'_>, call: &Call) -> bool {
    if call.revision().is_some_and(Revision::is_modern) {
        let kind = result.kind.and_then(|kind| serde_json::from_str(kind).ok());
        let kind: String = kind.unwrap_or_default();
        return kind == "input_required" || kind == "task";
    }
    let asks_for_task = || {
        let params = call.params();
        params.is_some_and(|params| message::has_member(params, "task"))
    };
    result.has_task && asks_for_task()
}

/// Rules only: what they were broken by is the tool's.
fn breaks(violations: &[Violation]) -> Cow<'static, str> {
    let rules = violations.iter().take(TOLD).map(Violation::rule);
    format!("breaks {}", rules.collect::<Vec<_>>().join(", ")).into()
}
