//! Conditions against a slow model that is obviously right, over `serde_json::Value`.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

use bartizan_core::Principal;
use bartizan_rbac::{Condition, Operation, Policy, Rule};
use proptest::prelude::*;
use serde_json::Value;

const NAMES: [&str; 5] = ["a", "A", "b", "owner", "Owner"];

#[derive(Debug, Clone)]
struct Model {
    path: Vec<&'static str>,
    each: Option<Vec<&'static str>>,
    or_absent: bool,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Subject,
    OneOf(Vec<&'static str>),
    True,
    Between(i64, i64),
    StartsWith(&'static str),
    Items(usize),
}

/// A value as the property makes it: members in their order, repeated ones too.
#[derive(Debug, Clone)]
enum Json {
    Plain(&'static str),
    Array(Vec<Self>),
    Object(Vec<(&'static str, bool, Self)>),
}

impl Json {
    fn write(&self, space: &str) -> String {
        match self {
            Self::Plain(text) => (*text).to_owned(),
            Self::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| item.write(space)).collect();
                format!(
                    "[{space}{}{space}]",
                    items.join(&format!("{space},{space}"))
                )
            }
            Self::Object(members) => {
                let member = |(name, is_escaped, value): &(&str, bool, Self)| {
                    let name = if *is_escaped {
                        escaped(name)
                    } else {
                        (*name).to_owned()
                    };
                    format!(
                        "{space}\"{name}\"{space}:{space}{}{space}",
                        value.write(space)
                    )
                };
                let members: Vec<_> = members.iter().map(member).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    /// The member of a name; `None` if it is doubtful, and `Some(None)` if it is absent.
    fn member(&self, name: &str) -> Option<Option<&Self>> {
        let Self::Object(members) = self else {
            return None;
        };
        let mut alike = members
            .iter()
            .filter(|(other, ..)| other.eq_ignore_ascii_case(name));
        match (alike.next(), alike.next()) {
            (None, _) => Some(None),
            (Some((exact, _, value)), None) if *exact == name => Some(Some(value)),
            _ => None,
        }
    }

    fn at(&self, path: &[&str]) -> Option<Option<&Self>> {
        let mut found = self;
        for name in path {
            match found.member(name)? {
                Some(value) => found = value,
                None => return Some(None),
            }
        }
        Some(Some(found))
    }
}

fn escaped(name: &str) -> String {
    name.chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect()
}

impl Model {
    fn condition(&self) -> Condition {
        let mut argument = Condition::argument(self.path[0]);
        for name in &self.path[1..] {
            argument = argument.member(name);
        }
        if let Some(each) = &self.each {
            argument = argument.each();
            for name in each {
                argument = argument.member(name);
            }
        }
        if self.or_absent {
            argument = argument.or_absent();
        }
        match &self.test {
            Test::Subject => argument.is_subject(),
            Test::OneOf(texts) => argument.one_of(texts.iter().copied()),
            Test::True => argument.one_of([true]),
            Test::Between(least, most) => argument.between(*least..=*most),
            Test::StartsWith(prefix) => argument.starts_with(prefix),
            Test::Items(most) => argument.at_most_items(*most),
        }
    }

    fn holds(&self, arguments: &Json) -> bool {
        let Some(found) = arguments.at(&self.path) else {
            return false;
        };
        match (found, &self.each) {
            (None, _) => self.or_absent,
            (Some(value), None) => self.test.holds(value),
            (Some(Json::Array(items)), Some(inner)) => {
                let holds = |item: &Json| match item.at(inner) {
                    None => false,
                    Some(None) => self.or_absent,
                    Some(Some(value)) => self.test.holds(value),
                };
                items.iter().all(holds) && (self.or_absent || !items.is_empty())
            }
            _ => false,
        }
    }
}

impl Test {
    fn holds(&self, value: &Json) -> bool {
        let value: Value = serde_json::from_str(&value.write("")).unwrap_or(Value::Null);
        match (self, &value) {
            (Self::Subject, Value::String(text)) => text == "ann",
            (Self::OneOf(texts), Value::String(text)) => texts.contains(&&**text),
            (Self::True, Value::Bool(value)) => *value,
            (Self::Between(least, most), Value::Number(number)) => {
                // Those that are made here are exact as doubles.
                let number = number.as_f64().unwrap();
                *least as f64 <= number && number <= *most as f64
            }
            (Self::StartsWith(prefix), Value::String(text)) => {
                text.starts_with(prefix) && !text.split('/').any(|segment| segment == "..")
            }
            (Self::Items(most), Value::Array(items)) => items.len() <= *most,
            _ => false,
        }
    }
}

fn json() -> impl Strategy<Value = Json> {
    let plain = prop::sample::select(vec![
        r#""ann""#,
        r#""\u0061nn""#,
        r#""bob""#,
        r#""ann/..""#,
        r#""an""#,
        r#""""#,
        "1",
        "1.0",
        "1e1",
        "-0",
        "2.5",
        "11",
        "-3",
        "true",
        "false",
        "null",
    ]);
    let leaf = plain.prop_map(Json::Plain);
    leaf.prop_recursive(3, 24, 4, |inner| {
        let member = (
            prop::sample::select(NAMES.to_vec()),
            any::<bool>(),
            inner.clone(),
        );
        prop_oneof![
            1 => prop::collection::vec(inner, 0..4).prop_map(Json::Array),
            3 => prop::collection::vec(member, 0..4).prop_map(Json::Object),
        ]
    })
}

fn object() -> impl Strategy<Value = Json> {
    let member = (prop::sample::select(NAMES.to_vec()), any::<bool>(), json());
    prop_oneof![
        20 => prop::collection::vec(member, 0..4).prop_map(Json::Object),
        1 => json(),
    ]
}

fn model() -> impl Strategy<Value = Model> {
    let test = prop_oneof![
        3 => Just(Test::Subject),
        1 => Just(Test::OneOf(vec!["bob", "an"])),
        1 => Just(Test::True),
        1 => (-3..2_i64, 0..12_i64).prop_map(|(least, more)| Test::Between(least, least + more)),
        1 => Just(Test::StartsWith("an")),
        1 => (0..3_usize).prop_map(Test::Items),
    ];
    let names = || prop::sample::select(NAMES.to_vec());
    let path = prop::collection::vec(names(), 1..3);
    let each = prop::option::weighted(0.3, prop::collection::vec(names(), 0..2));
    (path, each, prop::bool::weighted(0.3), test).prop_map(|(path, each, or_absent, test)| Model {
        path,
        each,
        or_absent,
        test,
    })
}

fn decides(conditions: &[Condition], arguments: &str) -> bool {
    let conditions = conditions
        .iter()
        .enumerate()
        .filter(|(n, c)| !conditions[..*n].contains(c));
    let rule = conditions.fold(Rule::tool("t"), |rule, (_, one)| rule.requires(one.clone()));
    let policy = Policy::builder().rule(rule).build().unwrap();
    let ann = Principal::user("https://auth.example.com", "ann").build("jwt");
    let operation = Operation::tool("t").arguments(arguments);
    policy.decide(Some(&ann), &operation).is_admitted()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_condition_holds_where_the_model_says_so(
        model in model(), arguments in object(), space in "[ \n]{0,1}",
    ) {
        let text = arguments.write(&space);
        let holds = decides(&[model.condition()], &text);
        prop_assert_eq!(holds, model.holds(&arguments), "{:?} on {}", model, text);
    }

    #[test]
    fn several_hold_together_and_any_of_them_alone(
        models in prop::collection::vec(model(), 1..5), arguments in object(),
    ) {
        let text = arguments.write("");
        let conditions: Vec<_> = models.iter().map(Model::condition).collect();
        let all = models.iter().all(|model| model.holds(&arguments));
        prop_assert_eq!(decides(&conditions, &text), all, "{}", text);
        let any = models.iter().any(|model| model.holds(&arguments));
        prop_assert_eq!(decides(&[Condition::any_of(conditions)], &text), any, "{}", text);
    }

    #[test]
    fn what_is_cut_or_has_something_behind_holds_nothing(
        model in model(), arguments in object(), cut in any::<prop::sample::Index>(),
    ) {
        let text = arguments.write("");
        let cut = cut.index(text.len());
        if let Some(text) = text.get(..cut).filter(|text| !text.is_empty()) {
            prop_assert!(!decides(&[model.condition()], text), "{}", text);
        }
        let more = format!("{text},");
        prop_assert!(!decides(&[model.condition()], &more), "{}", more);
    }

    /// It gets an answer, and only a text that is one JSON object holds anything.
    #[test]
    fn any_text_gets_an_answer(model in model(), text in r#"(\PC|[{}\[\]",:\\u0-9.eE+\-]){0,24}"#) {
        if decides(&[model.condition()], &text) {
            let read: Result<Value, _> = serde_json::from_str(&text);
            prop_assert!(read.is_ok_and(|read| read.is_object()), "{}", text);
        }
    }

    /// Of the numbers that a double reads as one within, the exact ones are within.
    #[test]
    fn numbers_within_are_within_for_whom_rounds(
        text in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        least in -1000..0_i64, most in 0..1000_i64,
    ) {
        let holds = decides(&[Condition::argument("n").between(least..=most)], &format!(r#"{{"n":{text}}}"#));
        let rounded: f64 = text.parse().unwrap();
        let is_within = (least as f64..=most as f64).contains(&rounded);
        prop_assert!(!holds || is_within, "{}", text);
        let is_bound = rounded == least as f64 || rounded == most as f64;
        prop_assert!(holds || !is_within || is_bound, "{}", text);
    }
}
