use std::time::{Duration, Instant};

use bartizan_validate::{ArgumentLimits, Characters, Schema};
use serde_json::Value;

/// An arbitrary schema, and behind the first zero byte an arbitrary text that it judges.
///
/// Both end within [`LONGEST`], whatever the schema was made for. If the schema is taken and the text read, it is judged as the library judges what `serde_json`
/// reads; what is told of it names no string of it that is no name.
pub fn schema(data: &[u8]) {
    let mut halves = data.splitn(2, |byte| *byte == 0);
    let (schema, text) = (halves.next(), halves.next().unwrap_or_default());
    let Ok(source) = std::str::from_utf8(schema.unwrap_or_default()) else {
        return;
    };
    let begun = Instant::now();
    let compiled = Schema::compile(source);
    let taken = begun.elapsed();
    assert!(taken < LONGEST, "{taken:?} to compile {source}");
    let Ok(schema) = compiled else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let begun = Instant::now();
    let judged = schema.check(text, &LIMITS.with_characters(Characters::any()));
    let taken = begun.elapsed();
    assert!(taken < LONGEST, "{taken:?} to judge by {source}");
    let (Ok(source), Ok(value)) = (read(source), read(text)) else {
        return;
    };
    let judged = match judged {
        Ok(()) => true,
        // A limit is ours alone.
        Err(violations)
            if violations
                .iter()
                .any(|violation| !violation.rule().contains('/')) =>
        {
            return;
        }
        Err(violations) => {
            assert!(!violations.is_empty(), "refused for nothing");
            false
        }
    };
    let options = jsonschema::options().with_pattern_options(jsonschema::PatternOptions::regex());
    let options = match source.get("$schema") {
        Some(_) => options,
        None => options.with_draft(jsonschema::Draft::Draft202012),
    };
    let library = options.offline().build(&source).expect("it was taken");
    assert_eq!(judged, library.is_valid(&value), "{source} of {value}");
}

/// Of tenths of a second as many as a build without optimisation takes on a machine that has other things to do.
const LONGEST: Duration = Duration::from_secs(20);

const LIMITS: ArgumentLimits = ArgumentLimits::new();

/// Without what is read in more than one way: `serde_json` takes the last of two members.
fn read(text: &str) -> Result<Value, serde_json::Error> {
    let value: Value = serde_json::from_str(text)?;
    match value.to_string().len() > text.len() || text.matches('"').count() % 2 == 1 {
        true => Err(serde::de::Error::custom("it is written otherwise")),
        false if has_twice(text) => Err(serde::de::Error::custom("a member twice")),
        false => Ok(value),
    }
}

/// Whether two members may have one name: there are fewer in what was read than in the text.
fn has_twice(text: &str) -> bool {
    fn members(value: &Value) -> usize {
        match value {
            Value::Object(own) => own.len() + own.values().map(members).sum::<usize>(),
            Value::Array(own) => own.iter().map(members).sum(),
            _ => 0,
        }
    }
    #[derive(Default)]
    struct Count(usize);
    impl<'de> serde::de::Visitor<'de> for &mut Count {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("JSON")
        }
        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }
        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
            while seq.next_element_seed(&mut *self)?.is_some() {}
            Ok(())
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while map.next_key::<String>()?.is_some() {
                self.0 += 1;
                map.next_value_seed(&mut *self)?;
            }
            Ok(())
        }
    }
    impl<'de> serde::de::DeserializeSeed<'de> for &mut Count {
        type Value = ();
        fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
            from.deserialize_any(self)
        }
    }
    let mut count = Count::default();
    let mut from = serde_json::Deserializer::from_str(text);
    let read = serde::de::DeserializeSeed::deserialize(&mut count, &mut from);
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    read.is_err() || count.0 != members(&value)
}
