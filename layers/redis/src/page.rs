use redis::Value;

use crate::{
    RedisFault,
    entry::{self, Entry, Fault},
};

/// What `XREAD` answers of one stream.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Result<Entry, Fault>>,
    /// The id of the last of them.
    pub(crate) last: Option<String>,
}

impl Page {
    /// An entry that can't be read is one that is skipped; only where ids are none it is not known how to go
    /// on.
    pub(crate) fn read(answer: &Value) -> Result<Self, RedisFault> {
        let streams = match answer {
            Value::Nil => return Ok(Self::default()),
            Value::Array(streams) => streams.as_slice(),
            _ => return Err(unreadable()),
        };
        let [Value::Array(stream)] = streams else {
            return Err(unreadable());
        };
        let [_, Value::Array(rows)] = stream.as_slice() else {
            return Err(unreadable());
        };
        let mut page = Self::default();
        for row in rows {
            let Value::Array(row) = row else {
                return Err(unreadable());
            };
            let [id, fields] = row.as_slice() else {
                return Err(unreadable());
            };
            let id = entry::text(id).ok_or_else(unreadable)?;
            page.last = Some(id.to_owned());
            page.entries.push(match fields {
                Value::Array(fields) => Entry::read(fields),
                _ => Err(Fault::Malformed("it has no fields")),
            });
        }
        Ok(page)
    }
}

fn unreadable() -> RedisFault {
    RedisFault::unreadable("no answer to XREAD")
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn answer(rows: Vec<Value>) -> Value {
        let stream = Value::Array(vec![text("stream"), Value::Array(rows)]);
        Value::Array(vec![stream])
    }

    #[test]
    fn entries_that_cannot_be_read_do_not_hide_those_that_can() {
        let fields = |id: &str| {
            let pairs = [
                ("v", "1"),
                ("kind", "session"),
                ("issuer", "i"),
                ("id", id),
                ("at", "1"),
                ("until", "2"),
            ];
            Value::Array(pairs.iter().flat_map(|(k, v)| [text(k), text(v)]).collect())
        };
        let row = |id: &str, fields| Value::Array(vec![text(id), fields]);
        let page = Page::read(&answer(vec![
            row("1-0", fields("s1")),
            row("1-1", Value::Nil),
            row("1-2", Value::Array(vec![Value::BulkString(vec![0xff])])),
            row("1-3", fields("s2")),
        ]))
        .unwrap();
        let ids: Vec<_> = page
            .entries
            .iter()
            .map(|e| e.as_ref().map(|e| &*e.id))
            .collect();
        assert_eq!(
            ids,
            [
                Ok("s1"),
                Err(&Fault::Malformed("it has no fields")),
                Err(&Fault::Malformed("a field is missing")),
                Ok("s2")
            ]
        );
        assert_eq!(page.last.as_deref(), Some("1-3"));
        assert_eq!(Page::read(&Value::Nil).unwrap(), Page::default());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<i64>().prop_map(Value::Int),
            vec(any::<u8>(), 0..6).prop_map(Value::BulkString),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| vec(inner, 0..4).prop_map(Value::Array))
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reading_panic(answer in value()) {
            let _ = Page::read(&answer);
        }
    }
}
