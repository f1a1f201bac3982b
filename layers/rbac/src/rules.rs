use std::collections::HashSet;

use bartizan_core::{
    CallKind,
    call::Subject,
    names::{Pattern, Shape, uri},
    printable,
};

use crate::{
    Annotation, Catalog, Operation, RbacConfigError, Rule,
    annotations::Annotations,
    built_rule::{BuiltRule, Speaks},
    conditions::placeholders,
    index::Index,
    needs::Needs,
    rule::Target,
};

/// The rules of a policy, found by what they speak of.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<BuiltRule>,
    tools: Index,
    resources: Index,
    prompts: Index,
    methods: Index,
    annotations: Annotations,
    annotated: Vec<(Annotation, usize)>,
    streams: Vec<usize>,
    ends: Vec<usize>,
    responses: Vec<usize>,
    /// The sorts of names that hidden rules speak of.
    hides: Vec<Speaks>,
}

impl Rules {
    /// # Errors
    ///
    /// If a name or pattern is none, a name is there twice, or `needs` finds something wrong.
    pub(crate) fn new(
        rules: &[Rule],
        annotated_tools: &[Catalog],
        needs: impl Fn(&Rule) -> Result<Needs, RbacConfigError>,
    ) -> Result<Self, RbacConfigError> {
        let mut built = Vec::new();
        let mut names = HashSet::new();
        let (mut tools, mut resources, mut prompts, mut methods) = Default::default();
        let (mut streams, mut ends, mut responses) = Default::default();
        let mut annotated = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            let name = rule.name();
            check_name(&name).map_err(|error| error.at_rule(place))?;
            if !names.insert(name.clone()) {
                let problem = "is there twice: give one of them another name";
                return Err(RbacConfigError::new("rule", &name, problem).at_rule(place));
            }
            let add = |to: &mut Vec<_>, text: &str, shape| {
                let target = match shape {
                    Shape::Flat => pattern(text, shape)?,
                    Shape::Uri => with_placeholders(text)?,
                };
                let except = rule
                    .except
                    .iter()
                    .map(|text| exception(text, shape, &target));
                let except = except.collect::<Result<Box<[_]>, _>>()?;
                to.push((target.clone(), place));
                Ok((except, Some(target)))
            };
            let plain = |to: &mut Vec<_>| match rule.except.first() {
                Some(except) => {
                    let problem = "is an exception where there are no names";
                    Err(RbacConfigError::new("pattern", except, problem))
                }
                None => {
                    to.push(place);
                    Ok((Box::default(), None))
                }
            };
            let names = match &rule.target {
                Target::Tool(text) => add(&mut tools, text, Shape::Flat),
                Target::Resource(text) => add(&mut resources, text, Shape::Uri),
                Target::Prompt(text) => add(&mut prompts, text, Shape::Flat),
                Target::Method(text) => add(&mut methods, text, Shape::Flat),
                Target::Annotated(_) if annotated_tools.is_empty() => {
                    let problem = "speaks of annotations, and no `annotated_tools` were given";
                    Err(RbacConfigError::new("rule", &name, problem))
                }
                Target::Annotated(annotation) => {
                    annotated.push((*annotation, place));
                    let except = rule.except.iter().map(|text| pattern(text, Shape::Flat));
                    except
                        .collect::<Result<_, _>>()
                        .map(|except| (except, None))
                }
                Target::Stream => plain(&mut streams),
                Target::EndSession => plain(&mut ends),
                Target::Response => plain(&mut responses),
            };
            let in_rule = |error: RbacConfigError| error.in_rule(&name).at_rule(place);
            let (except, target) = names.map_err(in_rule)?;
            built.push(BuiltRule {
                hidden: rule.hidden,
                honey: rule.honey,
                except,
                target,
                speaks: Speaks::of(&rule.target),
                needs: needs(rule).map_err(in_rule)?,
                name: name.as_str().into(),
                shown: format!("rule `{}`", printable(&name, 120)).into(),
            });
        }
        Ok(Self {
            rules: built,
            tools: Index::new(tools),
            resources: Index::new(resources),
            prompts: Index::new(prompts),
            methods: Index::new(methods),
            annotations: Annotations::new(annotated_tools)?,
            annotated,
            streams,
            ends,
            responses,
            hides: hides(rules)?,
        })
    }

    /// For the lint: whether it may cover what others hide, and is not hidden itself.
    pub(crate) fn is_beside_hidden(&self, rule: &BuiltRule) -> bool {
        let hidden = self.rules.iter().filter(|other| other.hidden);
        !rule.hidden && hidden.into_iter().any(|hidden| hidden.may_meet(rule))
    }

    /// Whether what is refused of this sort may be answered as unknown.
    #[inline]
    pub(crate) fn hide(&self, subject: Subject) -> bool {
        self.hides.iter().any(|hidden| {
            matches!(
                (hidden, subject),
                (Speaks::Tools, Subject::Tool)
                    | (Speaks::Prompts, Subject::Prompt)
                    | (Speaks::Resources, Subject::Resource)
            )
        })
    }

    /// Each rule that covers the operation, once; what a stream listens to is not looked at.
    pub(crate) fn each<'a>(
        &'a self,
        operation: &Operation<'_>,
        mut found: impl FnMut(&'a BuiltRule),
    ) {
        self.each_of_subject(operation, &mut found);
        self.each_of_method(operation, &mut found);
    }

    /// Those that cover it by what it acts on.
    pub(crate) fn each_of_subject<'a>(
        &'a self,
        operation: &Operation<'_>,
        mut found: impl FnMut(&'a BuiltRule),
    ) {
        match operation.subject() {
            Some((Subject::Tool, name)) => {
                self.named(&self.tools, name, &mut found);
                self.annotated(name, found);
            }
            Some((Subject::Prompt, name)) => self.named(&self.prompts, name, found),
            Some((Subject::Resource, uri)) => {
                self.named(&self.resources, uri::name_of(uri), found);
            }
            // A task's id says nothing about who may: rules speak of its method.
            Some(_) | None => {}
        }
    }

    /// Those that cover it whatever it acts on.
    pub(crate) fn each_of_method<'a>(
        &'a self,
        operation: &Operation<'_>,
        found: impl FnMut(&'a BuiltRule),
    ) {
        let plain = match operation.kind() {
            CallKind::Stream => &self.streams,
            CallKind::EndSession => &self.ends,
            CallKind::Response => &self.responses,
            _ => return self.named(&self.methods, operation.method_name(), found),
        };
        plain
            .iter()
            .filter_map(|place| self.rules.get(*place))
            .for_each(found);
    }

    fn named<'a>(&'a self, index: &Index, name: &str, mut found: impl FnMut(&'a BuiltRule)) {
        index.each(name, |place| {
            let rule = self.rules.get(place);
            if let Some(rule) = rule.filter(|rule| !rule.excepts(name)) {
                found(rule);
            }
        });
    }

    fn annotated<'a>(&'a self, tool: &str, found: impl FnMut(&'a BuiltRule)) {
        if self.annotated.is_empty() {
            return;
        }
        let said = self.annotations.of(tool);
        let so_annotated = self.annotated.iter().filter(|(what, _)| said.has(*what));
        so_annotated
            .filter_map(|(_, place)| self.rules.get(*place))
            .filter(|rule| !rule.excepts(tool))
            .for_each(found);
    }

    /// Whether a rule of this annotation speaks of the tool.
    pub(crate) fn is_annotated(&self, tool: &str, annotation: Annotation) -> bool {
        self.annotations.of(tool).has(annotation)
    }

    pub(crate) fn all(&self) -> &[BuiltRule] {
        &self.rules
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }
}

fn hides(rules: &[Rule]) -> Result<Vec<Speaks>, RbacConfigError> {
    let mut hides = Vec::new();
    for (place, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.hidden) {
        let speaks = Speaks::of(&rule.target);
        // What no catalogue names counts as annotated too, and cannot be told from what is hidden.
        if matches!(
            speaks,
            Speaks::Methods | Speaks::Annotated(_) | Speaks::Other
        ) {
            let problem = "hides what is no tool, prompt or resource";
            return Err(RbacConfigError::new("rule", &rule.name(), problem).at_rule(place));
        }
        if !hides.contains(&speaks) {
            hides.push(speaks);
        }
    }
    Ok(hides)
}

fn pattern(text: &str, shape: Shape) -> Result<Pattern, RbacConfigError> {
    Pattern::parse(text, shape).map_err(|problem| RbacConfigError::new("pattern", text, problem))
}

/// A placeholder covers what a star would; whose it must be, is a need.
fn with_placeholders(text: &str) -> Result<Pattern, RbacConfigError> {
    let error = |problem| RbacConfigError::new("pattern", text, problem);
    let (plain, _) = placeholders(text).map_err(error)?;
    Pattern::parse(&plain, Shape::Uri).map_err(error)
}

/// One that takes nothing out would be a mistake: it was meant for names that are still in.
fn exception(text: &str, shape: Shape, from: &Pattern) -> Result<Pattern, RbacConfigError> {
    let except = pattern(text, shape)?;
    let problem = match from {
        Pattern::Exact(_) => "is an exception from a single name",
        Pattern::Glob(_) if from.may_meet(&except) => return Ok(except),
        Pattern::Glob(_) => "is an exception that takes nothing out",
    };
    Err(RbacConfigError::new("pattern", text, problem))
}

fn check_name(name: &str) -> Result<(), RbacConfigError> {
    if name.is_empty() || name.len() > 1100 || name.chars().any(char::is_control) {
        let problem = "is no name: empty, too long, or with a control character";
        return Err(RbacConfigError::new("rule", name, problem));
    }
    Ok(())
}
