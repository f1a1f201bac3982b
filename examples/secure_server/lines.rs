//! What the example prints: a line for scripts, or a text with curl lines to paste.

use std::fmt;

use bartizan::CallLimits;
use serde_json::{Value, json};

use crate::{
    ALLOWED_ORIGIN,
    notes::{DESTRUCTIVE_TOOL, READ_TOOL, TOOLS},
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
            },
            "tokens": tokens.unwrap_or_else(|| json!({})),
        })
    }
}

const POST: &str = "curl -si -X POST -H 'Content-Type: application/json' \
                    -H 'Accept: application/json, text/event-stream'";

impl fmt::Display for Demo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url,
            issuer,
            audience,
            metadata,
            ..
        } = self;
        writeln!(f, "A secured MCP server listens on {url}")?;
        writeln!(f, "It trusts {issuer} for the audience {audience}")?;
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
            None => writeln!(f, "Set ADMIN to a token of your issuer.\n")?,
        }
        let call = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami"},
        });
        let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"delete_note"}}"#;
        let mut line = |what: &str, command: String| writeln!(f, "\n# {what}\n{command}");
        let admin = "-H \"Authorization: Bearer $ADMIN\"";
        line(
            "jwt, yes: 200, and the tool says who is calling",
            format!("{POST} {admin} -d '{call}' {url}"),
        )?;
        line(
            "jwt, no: 401 without a token, and the challenge says where to get one",
            format!("{POST} -d '{call}' {url}"),
        )?;
        if self.tokens.is_some() {
            line(
                "jwt, no: 401 invalid_token, expired",
                format!("{POST} -H \"Authorization: Bearer $EXPIRED\" -d '{call}' {url}"),
            )?;
            line(
                "jwt, no: 401 invalid_token, for somebody else",
                format!("{POST} -H \"Authorization: Bearer $WRONG_AUDIENCE\" -d '{call}' {url}"),
            )?;
        }
        line(
            "metadata, yes: 200 without a token",
            format!("curl -si {metadata}"),
        )?;
        line(
            "cors, yes: 204, a browser may ask",
            format!(
                "curl -si -X OPTIONS -H 'Origin: {ALLOWED_ORIGIN}' -H 'Access-Control-Request-Method: POST' \
             -H 'Access-Control-Request-Headers: authorization,content-type,mcp-protocol-version,mcp-method,mcp-name' {url}"
            ),
        )?;
        line(
            "cors, no: 403, a foreign page may not",
            format!("{POST} {admin} -H 'Origin: https://evil.example' -d '{call}' {url}"),
        )?;
        line(
            "network, no: 403, a rebound host name",
            format!("{POST} {admin} -H 'Host: evil.example' -d '{call}' {url}"),
        )?;
        line(
            "call, no: 400, a body that two parsers read differently",
            format!("{POST} {admin} -d '{twice}' {url}"),
        )?;
        line(
            "call, no: 400, a header that lies about the body",
            format!("{POST} {admin} -H 'Mcp-Name: list_notes' -d '{call}' {url}"),
        )?;
        line(
            "headers, yes: on every answer above, refusals too",
            format!("{POST} {admin} -d '{call}' {url} | grep -i '^content-security-policy'"),
        )?;
        write!(f, "\nCtrl-c stops it.")
    }
}
