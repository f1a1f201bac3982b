//! What the example prints: a line for scripts, or a text with curl lines to paste.

use std::fmt;

use bartizan::CallLimits;
use serde_json::{Value, json};

use crate::{
    ALLOWED_ORIGIN,
    notes::{DESTRUCTIVE_TOOL, READ_TOOL, TOOLS},
    policy,
    tokens::Tokens,
};

/// What a demonstration needs to know of the running server.
pub(crate) struct Demo {
    pub(crate) url: String,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) metadata: String,
    pub(crate) limits: CallLimits,
    pub(crate) tokens: Option<Tokens>,
}

impl Demo {
    pub(crate) fn to_json(&self) -> Value {
        let tokens = self.tokens.as_ref().map(|tokens| {
            json!({
                "admin": tokens.admin,
                "developer": tokens.developer,
                "viewer": tokens.viewer,
                "expired": tokens.expired,
                "wrong_audience": tokens.wrong_audience,
            })
        });
        json!({
            "url": self.url,
            "issuer": self.issuer,
            "audience": self.audience,
            "metadata": self.metadata,
            "allowed_origin": ALLOWED_ORIGIN,
            "tools": TOOLS,
            "read_tool": READ_TOOL,
            "destructive_tool": DESTRUCTIVE_TOOL,
            "limits": {
                "body_bytes": self.limits.body_bytes(),
                "depth": self.limits.depth(),
                "upload_seconds": self.limits.upload_time().as_secs(),
                "burst": policy::BURST,
                "requests_per_minute": policy::PER_MINUTE,
                "failures": policy::FAILURES,
            },
            "tokens": tokens.unwrap_or_else(|| json!({})),
        })
    }
}

impl fmt::Display for Demo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "A secured MCP server listens on {}", self.url)?;
        writeln!(
            f,
            "It trusts {} for the audience {}",
            self.issuer, self.audience
        )?;
        writeln!(f, "Tools: {}\n", TOOLS.join(", "))?;
        match &self.tokens {
            Some(tokens) => {
                writeln!(f, "Paste these first:\n")?;
                for (name, token) in [
                    ("ADMIN", &tokens.admin),
                    ("DEVELOPER", &tokens.developer),
                    ("VIEWER", &tokens.viewer),
                    ("EXPIRED", &tokens.expired),
                    ("WRONG_AUDIENCE", &tokens.wrong_audience),
                ] {
                    writeln!(f, "{name}={token}")?;
                }
            }
            None => writeln!(f, "Set ADMIN to a token of your issuer.")?,
        }
        for (what, command) in self.lines() {
            writeln!(f, "\n# {what}\n{command}")?;
        }
        write!(f, "\nCtrl-c stops it.")
    }
}
