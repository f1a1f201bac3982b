use std::{error::Error, fmt, time::Duration};

/// What a call may measure at most.
///
/// The defaults follow the official SDKs where they agree (4 MiB of body) and leave an order of
/// magnitude above real traffic elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    body_bytes: usize,
    depth: usize,
    members: usize,
    upload_time: Duration,
    header_bytes: usize,
    header_count: usize,
}

impl CallLimits {
    /// Longest JSON-RPC id, in bytes of JSON text.
    pub const ID_BYTES: usize = 512;
    /// Longest JSON-RPC method, in bytes.
    pub const METHOD_BYTES: usize = 256;

    /// The defaults.
    pub const fn new() -> Self {
        Self {
            body_bytes: 4 << 20,
            depth: 64,
            members: 4096,
            upload_time: Duration::from_secs(30),
            header_bytes: 8 << 10,
            header_count: 64,
        }
    }

    /// Largest body in bytes (IV-6). Default 4 MiB.
    ///
    /// # Errors
    ///
    /// If zero or above 1 GiB.
    pub fn with_body_bytes(mut self, bytes: usize) -> Result<Self, CallLimitsError> {
        self.body_bytes = within("body bytes", bytes, 1, 1 << 30)?;
        Ok(self)
    }

    /// Deepest nesting of objects and arrays (IV-6). Default 64.
    ///
    /// # Errors
    ///
    /// If below 4, which no MCP call fits, or above 128, where parsers start to fail.
    pub fn with_depth(mut self, depth: usize) -> Result<Self, CallLimitsError> {
        self.depth = within("depth", depth, 4, 128)?;
        Ok(self)
    }

    /// Most members of one object. Default 4096.
    ///
    /// # Errors
    ///
    /// If below 16 or above 1 000 000.
    pub fn with_members(mut self, members: usize) -> Result<Self, CallLimitsError> {
        self.members = within("members", members, 16, 1_000_000)?;
        Ok(self)
    }

    /// Longest time from the first to the last byte of the body. Default 30 s.
    ///
    /// # Errors
    ///
    /// If zero or above one hour.
    pub fn with_upload_time(mut self, time: Duration) -> Result<Self, CallLimitsError> {
        within("upload milliseconds", saturating_millis(time), 1, 3_600_000)?;
        self.upload_time = time;
        Ok(self)
    }

    /// Longest value of one `Mcp-*` header, in bytes before decoding (IV-7). Default 8 KiB. All
    /// of a request's together may measure four times that.
    ///
    /// # Errors
    ///
    /// If below 64 or above 64 KiB.
    pub fn with_header_bytes(mut self, bytes: usize) -> Result<Self, CallLimitsError> {
        self.header_bytes = within("header bytes", bytes, 64, 64 << 10)?;
        Ok(self)
    }

    /// Most `Mcp-*` headers of one request (IV-7). Default 64.
    ///
    /// # Errors
    ///
    /// If below 4 or above 1024.
    pub fn with_header_count(mut self, count: usize) -> Result<Self, CallLimitsError> {
        self.header_count = within("header count", count, 4, 1024)?;
        Ok(self)
    }

    /// Largest body in bytes.
    pub fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// Deepest nesting.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Most members of one object.
    pub fn members(&self) -> usize {
        self.members
    }

    /// Longest time from the first to the last byte of the body.
    pub fn upload_time(&self) -> Duration {
        self.upload_time
    }

    /// Longest value of one `Mcp-*` header.
    pub fn header_bytes(&self) -> usize {
        self.header_bytes
    }

    /// Most `Mcp-*` headers of one request.
    pub fn header_count(&self) -> usize {
        self.header_count
    }
}

impl Default for CallLimits {
    fn default() -> Self {
        Self::new()
    }
}

fn within(
    limit: &'static str,
    value: usize,
    min: usize,
    max: usize,
) -> Result<usize, CallLimitsError> {
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(CallLimitsError {
            limit,
            value,
            min,
            max,
        })
    }
}

fn saturating_millis(time: Duration) -> usize {
    usize::try_from(time.as_millis()).unwrap_or(usize::MAX)
}

/// A limit outside the range that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallLimitsError {
    limit: &'static str,
    value: usize,
    min: usize,
    max: usize,
}

impl fmt::Display for CallLimitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limit,
            value,
            min,
            max,
        } = self;
        write!(f, "{limit} of `{value}` is not within {min} to {max}")
    }
}

impl Error for CallLimitsError {}
