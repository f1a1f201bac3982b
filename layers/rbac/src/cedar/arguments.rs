//! What a tool is given, as Cedar sees it.

use bartizan_core::call::Tokens;
use cedar_policy::RestrictedExpression;
use serde_json::Value;

use crate::lists::json::{Broken, Seen, array, object, string};

/// Most bytes of strings that one call hands to policies.
const MOST_BYTES: usize = 64 << 10;
/// Most values.
const MOST_VALUES: usize = 4096;

/// What an argument is declared as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Bool,
    Long,
    String,
    Set(Box<Shape>),
    Record(Vec<Member>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    name: Box<str>,
    is_required: bool,
    shape: Shape,
}

/// Why arguments are not what was declared: which one, and what is the matter. Names no value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) argument: Option<Box<str>>,
    pub(super) problem: &'static str,
}

impl From<Broken> for Misfit {
    fn from(broken: Broken) -> Self {
        Self::of(broken.0)
    }
}

impl Misfit {
    fn of(problem: &'static str) -> Self {
        Self {
            argument: None,
            problem,
        }
    }

    fn in_argument(mut self, name: &str) -> Self {
        self.argument.get_or_insert_with(|| name.into());
        self
    }
}

impl Shape {
    /// The shape of a type of a schema's JSON form.
    pub(super) fn of(declared: &Value) -> Result<Self, String> {
        let text = |key: &str| declared.get(key).and_then(Value::as_str);
        let name = match text("type") {
            Some("EntityOrCommon") => text("name"),
            kind => kind,
        };
        match name.unwrap_or_default() {
            "Bool" | "Boolean" | "__cedar::Bool" => Ok(Self::Bool),
            "Long" | "__cedar::Long" => Ok(Self::Long),
            "String" | "__cedar::String" => Ok(Self::String),
            "Set" => {
                let element = declared.get("element").unwrap_or(&Value::Null);
                Ok(Self::Set(Box::new(Self::of(element)?)))
            }
            "Record" => {
                let members = declared.get("attributes").and_then(Value::as_object);
                let members = members.into_iter().flatten();
                let members = members.map(|(name, shape)| Member::of(name, shape));
                Ok(Self::Record(members.collect::<Result<_, _>>()?))
            }
            other => Err(format!(
                "type `{other}` is none of JSON's: Bool, Long, String, Set and records are"
            )),
        }
    }

    /// Reads arguments of this shape. What is not declared is skipped, since no policy can see it.
    pub(super) fn read(&self, arguments: &str) -> Result<RestrictedExpression, Misfit> {
        let mut reader = Reader {
            text: arguments,
            json: Tokens::of(arguments),
            bytes: 0,
            values: 0,
        };
        let read = reader.value(self)?;
        if reader.json.peek().is_some() {
            return Err(Misfit::of("is not JSON"));
        }
        Ok(read)
    }
}

impl Member {
    fn of(name: &str, declared: &Value) -> Result<Self, String> {
        if !name.is_ascii() {
            return Err(format!("argument `{name}` is not ASCII"));
        }
        let is_required = declared.get("required").and_then(Value::as_bool);
        Ok(Self {
            name: name.into(),
            is_required: is_required.unwrap_or(true),
            shape: Shape::of(declared)?,
        })
    }
}

struct Reader<'j> {
    text: &'j str,
    json: Tokens<'j>,
    bytes: usize,
    values: usize,
}

impl<'j> Reader<'j> {
    fn value(&mut self, shape: &Shape) -> Result<RestrictedExpression, Misfit> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(Misfit::of("has too many values for a policy"));
        }
        match (shape, self.json.peek()) {
            (Shape::Bool, Some(b't')) => self.literal("true", true),
            (Shape::Bool, Some(b'f')) => self.literal("false", false),
            (Shape::Long, Some(b'-' | b'0'..=b'9')) => self.long(),
            (Shape::String, Some(b'"')) => self.string(),
            (Shape::Set(element), Some(b'[')) => self.set(element),
            (Shape::Record(members), Some(b'{')) => self.record(members),
            _ => Err(Misfit::of("is not of the type that is declared")),
        }
    }

    fn literal(&mut self, name: &str, value: bool) -> Result<RestrictedExpression, Misfit> {
        self.json.literal(name).map_err(Broken::from)?;
        Ok(RestrictedExpression::new_bool(value))
    }

    /// An integer, written as one: what has a fraction or an exponent may be another number to the server.
    fn long(&mut self) -> Result<RestrictedExpression, Misfit> {
        let start = self.json.position();
        self.json.skip_number().map_err(Broken::from)?;
        let number = self.text.get(start..self.json.position());
        let number = number.and_then(|number| number.parse().ok());
        let number = number.ok_or(Misfit::of("is no integer of 64 bits"))?;
        Ok(RestrictedExpression::new_long(number))
    }

    fn string(&mut self) -> Result<RestrictedExpression, Misfit> {
        let room = MOST_BYTES - self.bytes;
        let read = string(&mut self.json, |text| {
            (text.len() <= room).then(|| text.to_owned())
        })?;
        let read = read.ok_or(Misfit::of("is too long for a policy"))?;
        self.bytes += read.len();
        Ok(RestrictedExpression::new_string(read))
    }

    fn set(&mut self, element: &Shape) -> Result<RestrictedExpression, Misfit> {
        let mut elements = Vec::new();
        self.walk(|this, misfit, json| {
            array(json, |json| {
                elements.push(this.nested(json, misfit, element)?);
                Ok(())
            })
        })?;
        Ok(RestrictedExpression::new_set(elements))
    }

    fn record(&mut self, members: &[Member]) -> Result<RestrictedExpression, Misfit> {
        let names: Vec<_> = members.iter().map(|member| &*member.name).collect();
        let mut fields = Vec::new();
        self.walk(|this, misfit, json| {
            object(json, &mut Seen::default(), &names, |json, place| {
                let Some(member) = place.and_then(|place| members.get(place)) else {
                    return Ok(json.skip()?);
                };
                let value = this.nested(json, misfit, &member.shape);
                if value.is_err() {
                    let found = misfit.take();
                    *misfit = found.map(|found| found.in_argument(&member.name));
                }
                fields.push((member.name.to_string(), value?));
                Ok(())
            })
        })?;
        let has = |member: &Member| fields.iter().any(|(name, _)| **name == *member.name);
        if let Some(member) = members.iter().find(|m| m.is_required && !has(m)) {
            return Err(Misfit::of("is missing").in_argument(&member.name));
        }
        let record = RestrictedExpression::new_record(fields);
        record.map_err(|_| Misfit::of("has a member twice"))
    }

    /// Walks what comes next with helpers that know other errors only.
    fn walk(
        &mut self,
        walk: impl FnOnce(&mut Self, &mut Option<Misfit>, &mut Tokens<'j>) -> Result<(), Broken>,
    ) -> Result<(), Misfit> {
        let mut misfit = None;
        let mut json = std::mem::replace(&mut self.json, Tokens::of(""));
        let walked = walk(self, &mut misfit, &mut json);
        self.json = json;
        walked.map_err(|broken| misfit.unwrap_or(broken.into()))
    }

    fn nested(
        &mut self,
        json: &mut Tokens<'j>,
        misfit: &mut Option<Misfit>,
        shape: &Shape,
    ) -> Result<RestrictedExpression, Broken> {
        std::mem::swap(&mut self.json, json);
        let read = self.value(shape);
        std::mem::swap(&mut self.json, json);
        read.map_err(|found| {
            *misfit = Some(found);
            Broken("does not fit")
        })
    }
}
