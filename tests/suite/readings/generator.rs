//! Calls as a client writes them, and then not quite.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

/// A body: a call with up to four things done to it, and then perhaps to its bytes.
pub(super) fn body() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![4 => Just(Vec::new()), 1 => vec((any::<Index>(), byte_change()), 1..3)];
    (message(), vec(change(), 0..4), any::<u64>(), bytes).prop_map(
        |(mut message, changes, style, bytes)| {
            for change in changes {
                change.apply(&mut message);
            }
            let mut text = String::new();
            message.write(&mut text, &mut Style(style));
            let mut body = text.into_bytes();
            for (place, change) in bytes {
                change.apply(&mut body, &place);
            }
            body
        },
    )
}

/// A document as it is written: members in their order, and as often as they are there.
#[derive(Debug, Clone)]
enum Json {
    /// Numbers and the like, as they are.
    Raw(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    let owned = members.map(|(name, value)| (name.to_owned(), value));
    Json::Object(owned.into())
}

/// Methods, and the members of params that they need.
const METHODS: [(&str, &str); 22] = [
    ("tools/call", "name"),
    ("tools/call", "name"),
    ("tools/call", "name"),
    ("tools/call", "name"),
    ("prompts/get", "name"),
    ("prompts/get", "name"),
    ("resources/read", "uri"),
    ("resources/subscribe", "uri"),
    ("resources/unsubscribe", "uri"),
    ("resources/directory/read", "uri"),
    ("skills/get", "uri"),
    ("tasks/get", "taskId"),
    ("tasks/cancel", "taskId"),
    ("tasks/update", "taskId"),
    ("tasks/result", "taskId"),
    ("completion/complete", "ref"),
    ("subscriptions/listen", "notifications"),
    ("tools/list", ""),
    ("ping", ""),
    ("notifications/cancelled", ""),
    ("acme/run", "name"),
    ("tasks/list", ""),
];

const NAMES: [&str; 8] = [
    "read_note",
    "delete",
    "file:///public/a",
    "file:///secret",
    "",
    "tools/call",
    "é\u{0}",
    "ref/prompt",
];

/// What members are called that somebody may read, or take for one that he reads.
const MEMBERS: [&str; 22] = [
    "jsonrpc",
    "id",
    "method",
    "params",
    "result",
    "error",
    "name",
    "uri",
    "taskId",
    "task_id",
    "ref",
    "arguments",
    "_meta",
    "type",
    "notifications",
    "resourceSubscriptions",
    "argument",
    "value",
    "inputResponses",
    "a",
    "$serde_json::private::RawValue",
    "$serde_json::private::Number",
];

fn message() -> impl Strategy<Value = Json> {
    let method = select(&METHODS[..]);
    (method, select(&NAMES[..]), small(), any::<[bool; 3]>()).prop_map(
        |((method, needs), name, arguments, [is_request, has_arguments, has_meta])| {
            let mut params = Vec::new();
            let mut add = |name: &str, value| params.push((name.to_owned(), value));
            match needs {
                "" => {}
                "ref" => {
                    add(
                        "ref",
                        object([("type", text("ref/prompt")), ("name", text(name))]),
                    );
                    add(
                        "argument",
                        object([("name", text("a")), ("value", text("b"))]),
                    );
                }
                "notifications" => add(
                    "notifications",
                    object([("resourceSubscriptions", Json::List(vec![text(name)]))]),
                ),
                needs => add(needs, text(name)),
            }
            if method == "tasks/update" {
                add("inputResponses", object([]));
            }
            if has_arguments {
                add(
                    "arguments",
                    object([("a", arguments.clone()), ("b", arguments)]),
                );
            }
            if has_meta {
                add("_meta", object([("progressToken", text("p"))]));
            }
            let mut message = vec![("jsonrpc".to_owned(), text("2.0"))];
            if is_request || !method.starts_with("notifications/") {
                message.push(("id".to_owned(), Json::Raw("7".to_owned())));
            }
            message.push(("method".to_owned(), text(method)));
            message.push(("params".to_owned(), Json::Object(params)));
            Json::Object(message)
        },
    )
}

/// Values of all sorts, small ones.
fn small() -> impl Strategy<Value = Json> {
    let raw = select(
        &[
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1",
            "1.0",
            "1e2",
            "1e400",
            "-1",
            "9007199254740993",
            "18446744073709551616",
            "0.1",
            "01",
            "\"\\ud800\"",
            "\"\\ud83d\\ude00\"",
            "NaN",
        ][..],
    );
    let leaf = prop_oneof![
        raw.prop_map(|raw| Json::Raw(raw.to_owned())),
        select(&NAMES[..]).prop_map(text),
        select(&METHODS[..]).prop_map(|(method, _)| text(method)),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        let member = (select(&MEMBERS[..]).prop_map(str::to_owned), inner.clone());
        prop_oneof![
            vec(inner, 0..3).prop_map(Json::List),
            vec(member, 0..3).prop_map(Json::Object),
        ]
    })
}

#[derive(Debug, Clone)]
struct Change {
    /// Which object of the document, and which of its members.
    object: Index,
    member: Index,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Repeat(Option<Json>),
    Rename(&'static str),
    Respell(Spelling),
    Replace(Json),
    /// At the front or at the end.
    Insert(bool, &'static str, Json),
    Drop,
    Swap(Index),
    InAList,
    AsText(&'static str),
}

#[derive(Debug, Clone, Copy)]
enum Spelling {
    Upper,
    Capital,
    LongS,
    Padded,
    Null,
}

fn change() -> impl Strategy<Value = Change> {
    let names = || select(&MEMBERS[..]);
    let spelling = select(
        &[
            Spelling::Upper,
            Spelling::Capital,
            Spelling::LongS,
            Spelling::Padded,
            Spelling::Null,
        ][..],
    );
    let private = select(
        &[
            "$serde_json::private::RawValue",
            "$serde_json::private::Number",
            "a",
        ][..],
    );
    let what = prop_oneof![
        prop::option::of(small()).prop_map(What::Repeat),
        names().prop_map(What::Rename),
        spelling.prop_map(What::Respell),
        small().prop_map(What::Replace),
        (any::<bool>(), names(), small())
            .prop_map(|(front, name, value)| What::Insert(front, name, value)),
        Just(What::Drop),
        any::<Index>().prop_map(What::Swap),
        Just(What::InAList),
        private.prop_map(What::AsText),
    ];
    (any::<Index>(), any::<Index>(), what).prop_map(|(object, member, what)| Change {
        object,
        member,
        what,
    })
}

impl Change {
    fn apply(self, message: &mut Json) {
        let count = message.count_objects();
        if count == 0 {
            return;
        }
        let place = self.object.index(count);
        let members = message.nth_object(&mut { place }).unwrap();
        if let What::Insert(front, name, value) = self.what {
            let place = if front { 0 } else { members.len() };
            members.insert(place, (name.to_owned(), value));
            return;
        }
        if members.is_empty() {
            return;
        }
        let place = self.member.index(members.len());
        let length = members.len();
        let (name, value) = &mut members[place];
        match self.what {
            What::Rename(other) => *name = other.to_owned(),
            What::Respell(spelling) => *name = spelling.of(name),
            What::Replace(other) => *value = other,
            What::InAList => *value = Json::List(vec![value.clone()]),
            What::AsText(member) => {
                let mut written = String::new();
                value.write(&mut written, &mut Style(0));
                *value = object([(member, Json::Text(written))]);
            }
            What::Repeat(other) => {
                let again = (name.clone(), other.unwrap_or_else(|| value.clone()));
                members.push(again);
            }
            What::Drop => {
                members.remove(place);
            }
            What::Swap(other) => members.swap(place, other.index(length)),
            What::Insert(..) => unreachable!("done before"),
        }
    }
}

impl Spelling {
    fn of(self, name: &str) -> String {
        match self {
            Self::Upper => name.to_uppercase(),
            Self::Capital => name[..1].to_uppercase() + &name[1..],
            Self::LongS => name.replace('s', "ſ"),
            Self::Padded => format!("{name} "),
            Self::Null => format!("{name}\u{0}"),
        }
    }
}

impl Json {
    fn count_objects(&self) -> usize {
        match self {
            Self::Object(members) => 1 + members.iter().map(|m| m.1.count_objects()).sum::<usize>(),
            Self::List(items) => items.iter().map(Self::count_objects).sum(),
            _ => 0,
        }
    }

    fn nth_object(&mut self, place: &mut usize) -> Option<&mut Vec<(String, Json)>> {
        match self {
            Self::Object(members) => {
                if *place == 0 {
                    return Some(members);
                }
                *place -= 1;
                members.iter_mut().find_map(|m| m.1.nth_object(place))
            }
            Self::List(items) => items.iter_mut().find_map(|item| item.nth_object(place)),
            _ => None,
        }
    }

    fn write(&self, out: &mut String, style: &mut Style) {
        match self {
            Self::Raw(raw) => out.push_str(raw),
            Self::Text(text) => style.text(out, text),
            Self::List(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    style.separate(out, place);
                    item.write(out, style);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (place, (name, value)) in members.iter().enumerate() {
                    style.separate(out, place);
                    style.text(out, name);
                    style.space(out);
                    out.push(':');
                    style.space(out);
                    value.write(out, style);
                }
                out.push('}');
            }
        }
    }
}

/// How it is written, from so many bits: white space, and which characters are escaped.
struct Style(u64);

impl Style {
    fn bits(&mut self) -> u64 {
        if self.0 != 0 {
            // Any sequence will do, and this one needs no other crate.
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
        }
        self.0
    }

    fn space(&mut self, out: &mut String) {
        match self.bits() % 16 {
            1 => out.push(' '),
            2 => out.push_str("\t\r\n "),
            _ => {}
        }
    }

    fn separate(&mut self, out: &mut String, place: usize) {
        if place > 0 {
            out.push(',');
        }
        self.space(out);
    }

    fn text(&mut self, out: &mut String, text: &str) {
        out.push('"');
        let escapes = self.bits() % 8 == 1;
        for c in text.chars() {
            let is_escaped = escapes && self.bits().is_multiple_of(3);
            if c == '"' || c == '\\' {
                out.push('\\');
                out.push(c);
            } else if c < ' ' || is_escaped {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            } else {
                out.push(c);
            }
        }
        out.push('"');
    }
}

#[derive(Debug, Clone)]
enum ByteChange {
    Insert(&'static [u8]),
    Replace(u8),
    Drop,
}

/// What does not belong there, or belongs to another encoding.
const INSERTS: [&[u8]; 14] = [
    b"\xef\xbb\xbf",
    b"\0",
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b",",
    b"{",
    b"}",
    b"[]",
    b"\"",
    b"\\",
    b"//",
    b"\xc2\xa0",
    b"\x0c",
];

fn byte_change() -> impl Strategy<Value = ByteChange> {
    let inserts = select(&INSERTS[..]);
    prop_oneof![
        inserts.prop_map(ByteChange::Insert),
        any::<u8>().prop_map(ByteChange::Replace),
        Just(ByteChange::Drop),
    ]
}

impl ByteChange {
    fn apply(self, body: &mut Vec<u8>, place: &Index) {
        if body.is_empty() {
            return;
        }
        let place = place.index(body.len());
        match self {
            Self::Insert(bytes) => {
                body.splice(place..place, bytes.iter().copied());
            }
            Self::Replace(byte) => body[place] = byte,
            Self::Drop => {
                body.remove(place);
            }
        }
    }
}
