use std::fmt;

use crate::safe::{
    Refused,
    read::{FromText, read},
};

/// The direction to sort in: `asc` or `desc`.
///
/// ```
/// use bartizan_validate::safe::sql::SqlOrder;
///
/// let order: SqlOrder = serde_json::from_str("\"desc\"").unwrap();
/// assert_eq!(format!("ORDER BY `name` {order}"), "ORDER BY `name` DESC");
/// assert!(serde_json::from_str::<SqlOrder>("\"desc; DROP TABLE users\"").is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::exhaustive_enums, reason = "there are two directions")]
pub enum SqlOrder {
    /// The least first.
    #[default]
    Asc,
    /// The greatest first.
    Desc,
}

/// As SQL.
impl fmt::Display for SqlOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asc => "ASC",
            Self::Desc => "DESC",
        })
    }
}

impl FromText for SqlOrder {
    const WHAT: &'static str = "order";

    fn from_text(text: &str) -> Result<Self, Refused> {
        match text {
            "asc" => Ok(Self::Asc),
            "desc" => Ok(Self::Desc),
            _ => Err(Refused::new(Self::WHAT, "is neither `asc` nor `desc`")),
        }
    }
}

impl<'de> serde::Deserialize<'de> for SqlOrder {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}

#[cfg(feature = "schemars")]
impl schemars::JsonSchema for SqlOrder {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SqlOrder".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": ["asc", "desc"] })
    }
}
