//! Records for people and for machines. Whatever a name holds, it can't steer a terminal.

use std::time::{SystemTime, UNIX_EPOCH};

use bartizan::{
    apikey::{KeyRecord, Standing},
    printable,
};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const HEAD: [&str; 7] = [
    "ID",
    "NAME",
    "OWNER",
    "ENVIRONMENT",
    "STATE",
    "EXPIRES",
    "LAST USED",
];

/// Most characters of a cell.
const CELL: usize = 32;

pub(super) fn table(records: &[KeyRecord]) -> String {
    let head = HEAD.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head)
        .chain(records.iter().map(row))
        .collect();
    let mut widths = [0; HEAD.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn row(record: &KeyRecord) -> [String; HEAD.len()] {
    let grant = &record.grant;
    let cell = |text: &str| printable(text, CELL).to_string();
    [
        record.id.to_string(),
        cell(&grant.name),
        cell(&grant.owner),
        cell(&grant.environment),
        state(record).to_owned(),
        time(record.expires_at),
        record.last_used.map_or_else(|| "never".to_owned(), time),
    ]
}

fn state(record: &KeyRecord) -> &'static str {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let standing = record.standing(now.unwrap_or_default().as_secs());
    match standing {
        Standing::Good if record.successor.is_some() => "rotated",
        Standing::Good => "good",
        Standing::Early => "early",
        Standing::Expired => "expired",
        Standing::Revoked => "revoked",
        Standing::Honey => "honey",
        _ => "unknown",
    }
}

/// A line for each thing there is to say.
pub(super) fn details(record: &KeyRecord) -> String {
    let grant = &record.grant;
    let list = |texts: &[String]| texts.join(" ");
    let (limits, networks) = (&grant.limits, &grant.networks);
    let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
    let id = |id: Option<_>| id.map(|id: bartizan::apikey::KeyId| id.to_string());
    let revoked = record.revoked.as_ref();
    let lines = [
        ("id", Some(record.id.to_string())),
        ("state", Some(state(record).to_owned())),
        ("name", Some(grant.name.clone())),
        ("owner", Some(grant.owner.clone())),
        ("tenant", grant.tenant.clone()),
        ("environment", Some(grant.environment.clone())),
        ("roles", Some(list(&grant.roles))),
        ("scopes", Some(list(&grant.scopes))),
        ("capabilities", Some(list(&grant.capabilities))),
        ("only tools", limits.tools.as_deref().map(list)),
        ("only prompts", limits.prompts.as_deref().map(list)),
        ("only resources", limits.resources.as_deref().map(list)),
        ("only methods", limits.methods.as_deref().map(list)),
        ("only from", Some(networks.join(" "))),
        ("created", Some(time(record.created_at))),
        ("good from", Some(time(record.not_before))),
        ("expires", Some(time(record.expires_at))),
        ("revoked", revoked.map(|revoked| time(revoked.at))),
        ("because", revoked.map(|revoked| revoked.reason.clone())),
        ("successor", id(record.successor)),
        ("predecessor", id(record.predecessor)),
        ("last used", record.last_used.map(time)),
    ];
    let mut out = String::new();
    for (name, value) in lines {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            out.push_str(&format!("{name:15}{}\n", printable(&value, 2000)));
        }
    }
    out
}

/// As it is kept, without what its secret is hashed to, and with what has become of it.
pub(super) fn record(record: &KeyRecord) -> Value {
    let mut value = serde_json::to_value(record).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.remove("hash");
        fields.insert("state".to_owned(), json!(state(record)));
    }
    value
}

/// On one line of ASCII: what else there is, is escaped.
pub(super) fn json(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        match c {
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('\n');
    out
}

/// A time of RFC 3339; the number where there is none.
pub(super) fn time(at: u64) -> String {
    let time = i64::try_from(at).ok();
    let time = time.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let text = time.and_then(|time| time.format(&Rfc3339).ok());
    text.unwrap_or_else(|| at.to_string())
}
