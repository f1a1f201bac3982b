use crate::{Characters, ValidateConfigError};

/// What the arguments of a call may measure, besides what the [whole call](bartizan_core::CallLimits) may.
///
/// They hold whatever a schema permits, so that what a schema forgot to bound is bounded all the same.
///
/// ```
/// use bartizan_validate::ArgumentLimits;
/// let limits = ArgumentLimits::new().with_string_bytes(1000)?.with_elements(10)?;
/// assert!(ArgumentLimits::new().with_depth(0).is_err());
/// # Ok::<(), bartizan_validate::ValidateConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[must_use]
pub struct ArgumentLimits {
    pub(crate) depth: usize,
    pub(crate) members: usize,
    pub(crate) elements: usize,
    pub(crate) values: usize,
    pub(crate) string_bytes: usize,
    pub(crate) name_bytes: usize,
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) safe_integers: bool,
    pub(crate) characters: Characters,
}

impl ArgumentLimits {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            depth: 32,
            members: 256,
            elements: 10_000,
            values: 100_000,
            string_bytes: 1 << 20,
            name_bytes: 256,
            least: f64::MIN,
            most: f64::MAX,
            safe_integers: false,
            characters: Characters::new(),
        }
    }

    /// Deepest nesting, that of the arguments themselves being 1. Default 32.
    ///
    /// # Errors
    ///
    /// If zero or above 128.
    pub fn with_depth(mut self, depth: usize) -> Result<Self, ValidateConfigError> {
        self.depth = ValidateConfigError::unless_within("depth", depth, 1, 128)?;
        Ok(self)
    }

    /// Most members of one object. Default 256.
    ///
    /// # Errors
    ///
    /// If above 1 000 000.
    pub fn with_members(mut self, members: usize) -> Result<Self, ValidateConfigError> {
        self.members = ValidateConfigError::unless_within("members", members, 0, 1_000_000)?;
        Ok(self)
    }

    /// Most elements of one array. Default 10 000.
    ///
    /// # Errors
    ///
    /// If above 10 000 000.
    pub fn with_elements(mut self, elements: usize) -> Result<Self, ValidateConfigError> {
        self.elements = ValidateConfigError::unless_within("elements", elements, 0, 10_000_000)?;
        Ok(self)
    }

    /// Most values altogether, objects and arrays included. Default 100 000.
    ///
    /// # Errors
    ///
    /// If zero or above 10 000 000.
    pub fn with_values(mut self, values: usize) -> Result<Self, ValidateConfigError> {
        self.values = ValidateConfigError::unless_within("values", values, 1, 10_000_000)?;
        Ok(self)
    }

    /// Longest string, in bytes of UTF-8. Default 1 MiB.
    ///
    /// # Errors
    ///
    /// If above 1 GiB.
    pub fn with_string_bytes(mut self, bytes: usize) -> Result<Self, ValidateConfigError> {
        self.string_bytes = ValidateConfigError::unless_within("string bytes", bytes, 0, 1 << 30)?;
        Ok(self)
    }

    /// Longest name of a member, in bytes of UTF-8. Default 256.
    ///
    /// # Errors
    ///
    /// If zero or above 64 KiB.
    pub fn with_name_bytes(mut self, bytes: usize) -> Result<Self, ValidateConfigError> {
        self.name_bytes = ValidateConfigError::unless_within("name bytes", bytes, 1, 64 << 10)?;
        Ok(self)
    }

    /// Least and greatest number. By default all that binary floating point of 64 bits holds: `1e400` never
    /// passes, since some read it as infinity, and some fail.
    ///
    /// # Errors
    ///
    /// If they are not finite, or the least is the greater.
    pub fn with_numbers(mut self, least: f64, most: f64) -> Result<Self, ValidateConfigError> {
        if !least.is_finite() || !most.is_finite() || least > most {
            let range = format!("{least} to {most}");
            return Err(ValidateConfigError::new("numbers", &range, "are no range"));
        }
        (self.least, self.most) = (least, most);
        Ok(self)
    }

    /// Refuses integers beyond ±(2^53−1), which readers of floating point round. Without, they are judged
    /// exactly, as by readers of 64-bit integers; beyond 64 bits they never pass.
    pub const fn with_safe_integers(mut self) -> Self {
        self.safe_integers = true;
        self
    }

    /// Which characters strings and names may have.
    pub const fn with_characters(mut self, characters: Characters) -> Self {
        self.characters = characters;
        self
    }
}

impl Default for ArgumentLimits {
    fn default() -> Self {
        Self::new()
    }
}
