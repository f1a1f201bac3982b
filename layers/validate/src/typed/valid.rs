use std::ops::Deref;

use serde::{Deserialize, Deserializer, de::Error as _};
use validator::Validate;

use super::told;

/// A value that is what its type's [`Validate`] says: there is no other way to read one.
///
/// It stands wherever serde reads: in rmcp as `Parameters<Valid<T>>` (with the feature `schemars`, for the tool's
/// schema), in axum as `Json<Valid<T>>`, in a struct as a field.
///
/// ```
/// use bartizan_validate::typed::Valid;
/// use validator::Validate;
/// #[derive(serde::Deserialize, Validate)]
/// struct Rating {
///     #[validate(range(min = 1, max = 5))]
///     stars: u8,
/// }
/// // Yes.
/// let rating: Valid<Rating> = serde_json::from_str(r#"{"stars":5}"#)?;
/// assert_eq!(rating.stars, 5);
/// // No.
/// let refused = serde_json::from_str::<Valid<Rating>>(r#"{"stars":77}"#).err().unwrap();
/// assert_eq!(refused.to_string(), "`/stars`: it must be from 1 to 5");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Valid<T>(T);

impl<T> Valid<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Valid<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de> + Validate> Deserialize<'de> for Valid<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = T::deserialize(from)?;
        match value.validate() {
            Ok(()) => Ok(Self(value)),
            Err(errors) => {
                let told = told::violations(&errors);
                let told = told.iter().map(ToString::to_string);
                Err(D::Error::custom(told.collect::<Vec<_>>().join("; ")))
            }
        }
    }
}

#[cfg(feature = "schemars")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Valid<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }
}
