//! Secrets of every kind, in every form, made anew each time. For tests of whatever must not show one.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A secret and the part of it that nothing may show.
pub(crate) fn secrets() -> impl Strategy<Value = (String, String)> {
    let key = |prefix: &'static str| {
        ("[0-9][a-z][A-Z]", "[A-Za-z0-9]{33}").prop_map(move |(mixed, rest)| {
            let key = format!("{mixed}{rest}");
            (format!("{prefix}{key}"), key)
        })
    };
    let same = |text: String| (text.clone(), text);
    prop_oneof![
        "[a-z]{3,10}[.][a-z]{2,8}@[a-z]{3,8}[.](com|org|example)".prop_map(|mail| {
            let name = mail.split_once('@').map(|(name, _)| name.to_owned());
            (mail, name.unwrap())
        }),
        "[2-9][0-9]{2}-[2-9][0-9]{2}-[0-9]{4}".prop_map(same),
        key("sk_live_"),
        key("ghp_"),
        key("glpat-"),
        key("npm_"),
        key("hf_"),
        key("xoxb-"),
        key("AIza"),
        "AKIA[A-Z0-9]{16}".prop_map(same),
        (
            "[A-Za-z0-9_-]{12,40}",
            "[A-Za-z0-9_-]{20,80}",
            "[A-Za-z0-9_-]{20,60}"
        )
            .prop_map(|(a, b, c)| (format!("eyJ{a}.{b}.{c}"), b)),
        "[a-zA-Z0-9]{18}[0-9]".prop_map(|token| (format!("Bearer {token}"), token)),
        "[A-Za-z0-9+/]{60}".prop_map(|key| {
            (
                format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----"),
                key,
            )
        }),
        "[a-z]{6}[0-9]{4}".prop_map(|password| {
            (
                format!("postgres://app:{password}@db.example.com/x"),
                password,
            )
        }),
        "[a-z]{6}[0-9]{4}".prop_map(|password| (format!("password={password}"), password)),
        "(4[0-9]{14}|5[1-5][0-9]{13})".prop_map(|digits| {
            let card = with_check_digit(&digits);
            (card.clone(), card)
        }),
        ("4[0-9]{14}", "[ -]").prop_map(move |(digits, between)| {
            let card = with_check_digit(&digits);
            let groups: Vec<_> = card
                .as_bytes()
                .chunks(4)
                .map(|g| str::from_utf8(g).unwrap())
                .collect();
            same(groups.join(&between))
        }),
        "[1-5][0-9][1-9]-[1-9][0-9]-[0-9]{3}[1-9]".prop_map(same),
    ]
}

fn with_check_digit(digits: &str) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, b)| {
            let digit = u32::from(b - b'0');
            let doubled = if at % 2 == 0 { digit * 2 } else { digit };
            doubled / 10 + doubled % 10
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// What else stands around a secret, and apart from it.
pub(crate) fn around() -> impl Strategy<Value = (String, String)> {
    let before = prop_oneof![
        Just(""),
        Just("see "),
        Just("é: "),
        Just("\n"),
        Just("("),
        Just("\"")
    ];
    let after = prop_oneof![
        Just(""),
        Just(" and so on"),
        Just(", é"),
        Just("\n"),
        Just(")"),
        Just("\"")
    ];
    (before, after).prop_map(|(before, after)| (before.to_owned(), after.to_owned()))
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Plain,
    JsonEscaped,
    UnicodeEscaped,
    Percent,
    Base64,
    Base64Url,
    JsonInText,
}

pub(crate) const FORMS: [Form; 7] = [
    Form::Plain,
    Form::JsonEscaped,
    Form::UnicodeEscaped,
    Form::Percent,
    Form::Base64,
    Form::Base64Url,
    Form::JsonInText,
];

/// The same in another form: all of it, or each of its bytes.
pub(crate) fn encoded(form: Form, text: &str) -> String {
    match form {
        Form::Plain => text.to_owned(),
        Form::JsonEscaped => {
            let json = serde_json::to_string(text).unwrap();
            json[1..json.len() - 1].to_owned()
        }
        Form::UnicodeEscaped => text
            .chars()
            .map(|c| {
                if c.is_ascii() {
                    format!("\\u{:04x}", c as u32)
                } else {
                    c.to_string()
                }
            })
            .collect(),
        Form::Percent => text
            .bytes()
            .map(|b| match b {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    char::from(b).to_string()
                }
                _ => format!("%{b:02X}"),
            })
            .collect(),
        Form::Base64 => STANDARD.encode(text),
        Form::Base64Url => URL_SAFE_NO_PAD.encode(text),
        Form::JsonInText => json!({ "x": [text] }).to_string(),
    }
}

/// Somewhere in JSON: as a value, in a list, deep, as a name.
pub(crate) fn nested(place: u8, text: &str) -> Value {
    match place {
        0 => json!(text),
        1 => json!([1, [text, null]]),
        2 => json!({ "a": { "b": [{ "c": text, "d": 1 }] } }),
        3 => json!({ text: 1 }),
        _ => json!({ "a": json!({ "b": text }).to_string() }),
    }
}
