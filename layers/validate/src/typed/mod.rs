//! Arguments as types of your own, judged by [`validator`] (feature `typed`).

pub mod normalize;
mod told;
mod valid;

pub use valid::Valid;

use std::{fmt, sync::Arc};

use serde::de::DeserializeOwned;
use validator::Validate;

use crate::Violation;

/// Judges the text of arguments by a type.
#[derive(Clone)]
pub(crate) struct Typed(Arc<dyn Fn(&str) -> Result<(), Vec<Violation>> + Send + Sync>);

impl Typed {
    pub(crate) fn of<T: DeserializeOwned + Validate>() -> Self {
        Self(Arc::new(|text| read::<T>(text).map(drop)))
    }

    pub(crate) fn judge(&self, text: &str) -> Result<(), Vec<Violation>> {
        (self.0)(text)
    }
}

/// Reads a value and judges it.
fn read<T: DeserializeOwned + Validate>(text: &str) -> Result<T, Vec<Violation>> {
    let value: T = serde_json::from_str(text).map_err(|error| vec![told::unread(&error)])?;
    match value.validate() {
        Ok(()) => Ok(value),
        Err(errors) => Err(told::violations(&errors)),
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed")
    }
}
