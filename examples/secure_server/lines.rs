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
            },
            "tokens": tokens.unwrap_or_else(|| json!({})),
        })
    }
}

const POST: &str = "curl -si -X POST -H 'Content-Type: application/json' \
                    -H 'Accept: application/json, text/event-stream'";
const ADMIN: &str = "-H \"Authorization: Bearer $ADMIN\"";
const PREFLIGHT: &str = "curl -si -X OPTIONS -H 'Access-Control-Request-Method: POST' \
    -H 'Access-Control-Request-Headers: authorization,content-type,mcp-method,mcp-name,mcp-protocol-version'";
const CALL: &str = r#"'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}'"#;
const DELETE: &str = r#"'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_note","arguments":{"title":"welcome"}}}'"#;
const LIST: &str =
    r#"'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes"}}'"#;
const DISCOVER: &str = r#"-H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: server/discover' -d '{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}'"#;
const TWICE: &str = r#"'{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"delete_note"}}'"#;

impl Demo {
    /// A yes and a no of each layer, outermost first: what to expect, and the command.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let (url, metadata) = (&self.url, &self.metadata);
        let admin = |rest: &str| format!("{POST} {ADMIN} {rest} -d {CALL} {url}");
        let mut lines = vec![
            (
                "headers, yes: a policy on the answer",
                admin("") + " | grep -i '^content-security-policy'",
            ),
            (
                "headers, no: 0 lines that name the server, or promise TLS over plain HTTP",
                admin("") + " | grep -ciE '^(server|x-powered-by|strict-transport-security)'",
            ),
            (
                "network, yes: 200, a host name of this machine",
                admin("-H 'Host: localhost'"),
            ),
            (
                "network, no: 403, a rebound host name",
                admin("-H 'Host: evil.example'"),
            ),
            (
                "cors, yes: 204, a listed page may ask",
                format!("{PREFLIGHT} -H 'Origin: {ALLOWED_ORIGIN}' {url}"),
            ),
            (
                "cors, no: 403, any other page may not, whatever it knows",
                admin("-H 'Origin: https://evil.example'"),
            ),
            ("jwt, yes: 200, and the tool says who is calling", admin("")),
            (
                "jwt, no: 401 without a token, and where to get one",
                format!("{POST} -d {CALL} {url}"),
            ),
        ];
        if self.tokens.is_some() {
            let bearer =
                |token| format!("{POST} -H \"Authorization: Bearer ${token}\" -d {CALL} {url}");
            lines.push((
                "jwt, yes: 200, another token is another caller",
                bearer("VIEWER"),
            ));
            lines.push(("jwt, no: 401 invalid_token, expired", bearer("EXPIRED")));
            lines.push((
                "jwt, no: 401 invalid_token, for another server",
                bearer("WRONG_AUDIENCE"),
            ));
        }
        lines.extend([
            (
                "metadata, yes: 200 without a token",
                format!("curl -si {metadata}"),
            ),
            (
                "call, yes: 200, headers that tell the truth about the body",
                admin("-H 'Mcp-Method: tools/call' -H 'Mcp-Name: whoami'"),
            ),
            (
                "call, no: 400, a header that lies about the body",
                admin("-H 'Mcp-Name: list_notes'"),
            ),
            (
                "call, no: 400, a body that two parsers read differently",
                format!("{POST} {ADMIN} -d {TWICE} {url}"),
            ),
        ]);
        if self.tokens.is_some() {
            let delete =
                |token| format!("{POST} -H \"Authorization: Bearer ${token}\" -d {DELETE} {url}");
            lines.extend([
                ("rbac, yes: 200, an admin may delete", delete("ADMIN")),
                (
                    "rbac, no: 403 without a challenge, a viewer may not",
                    delete("VIEWER"),
                ),
                (
                    "rbac, yes: 200, but reading is a viewer's",
                    format!("{POST} -H \"Authorization: Bearer $VIEWER\" -d {LIST} {url}"),
                ),
                (
                    "ratelimit, no: 200 at first, then 429 with Retry-After; each account counts for itself",
                    format!(
                        "for i in $(seq {}); do {POST} -H \"Authorization: Bearer $DEVELOPER\" -d {LIST} {url} \\\n  \
                         | grep -iE '^(HTTP|retry-after|ratelimit:)'; done | tail -3",
                        policy::BURST + 5
                    ),
                ),
                (
                    "ratelimit, yes: 200, asking what the server speaks has its own bucket",
                    format!("{POST} -H \"Authorization: Bearer $DEVELOPER\" {DISCOVER} {url}"),
                ),
            ]);
        }
        lines.push((
            "audit: each of these requests left one line on the server's standard error; this one's id is in it",
            admin("") + " | grep -i '^x-request-id'",
        ));
        lines
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
