//! The commands that the example prints, to be pasted.

use crate::{ALLOWED_ORIGIN, demo::Demo, policy};

const POST: &str = "curl -si -X POST -H 'Content-Type: application/json' \
                    -H 'Accept: application/json, text/event-stream'";
const ADMIN: &str = "-H \"Authorization: Bearer $ADMIN\"";
const PREFLIGHT: &str = "curl -si -X OPTIONS -H 'Access-Control-Request-Method: POST' \
    -H 'Access-Control-Request-Headers: authorization,content-type,mcp-method,mcp-name,mcp-protocol-version'";
const CALL: &str = r#"'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}'"#;
const DELETE: &str = r#"'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_note","arguments":{"title":"welcome"}}}'"#;
const WIPE: &str =
    r#"'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wipe_notes"}}'"#;
const EXPORT: &str =
    r#"'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"export_users"}}'"#;
const LIST: &str =
    r#"'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes"}}'"#;
const DISCOVER: &str = r#"-H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: server/discover' -d '{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}'"#;
const TWICE: &str = r#"'{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"delete_note"}}'"#;

const LEVEL: &str =
    r#"'{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"info"}}'"#;

type Line = (&'static str, String);

impl Demo {
    /// A yes and a no of each layer, outermost first: what to expect, and the command. What uses up
    /// a limit comes last.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut lines = self.outer();
        lines.extend(self.authentication());
        lines.extend(self.calls());
        lines.extend(match self.tokens {
            Some(_) => self.roles_and_limits(),
            None => self.roles_and_limits_of_one(),
        });
        lines.extend(self.address_limit());
        lines
    }

    /// A call that is as a rule admitted.
    fn admin(&self, rest: &str) -> String {
        format!("{POST} {ADMIN} {rest} -d {CALL} {}", self.url)
    }

    fn by(&self, token: &str, body: &str) -> String {
        let url = &self.url;
        format!("{POST} -H \"Authorization: Bearer ${token}\" -d {body} {url}")
    }

    fn outer(&self) -> Vec<Line> {
        let (url, admin) = (&self.url, |rest| self.admin(rest));
        vec![
            (
                "headers, yes: a policy on the answer",
                admin("") + " | grep -i '^content-security-policy'",
            ),
            (
                "headers, no: 0 lines that name the server, or promise TLS over plain HTTP",
                admin("") + " | grep -ciE '^(server|x-powered-by|strict-transport-security)'",
            ),
            (
                "audit, yes: each request leaves one line on the server's standard error; this one's id is in it",
                admin("") + " | grep -i '^x-request-id'",
            ),
            (
                "audit, no: what follows the ? may be a secret, and is not in its line",
                admin("") + "'?note=s3cret' | grep -i '^x-request-id'",
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
        ]
    }

    fn authentication(&self) -> Vec<Line> {
        let (url, metadata) = (&self.url, &self.metadata);
        let mut lines = vec![
            (
                "jwt, yes: 200, and the tool says who is calling",
                self.admin(""),
            ),
            (
                "jwt, no: 401 without a token, and where to get one",
                format!("{POST} -d {CALL} {url}"),
            ),
        ];
        if self.tokens.is_some() {
            lines.extend([
                (
                    "jwt, yes: 200, another token is another caller",
                    self.by("VIEWER", CALL),
                ),
                (
                    "jwt, no: 401 invalid_token, expired",
                    self.by("EXPIRED", CALL),
                ),
                (
                    "jwt, no: 401 invalid_token, for another server",
                    self.by("WRONG_AUDIENCE", CALL),
                ),
            ]);
        }
        let origin = url.trim_end_matches("/mcp");
        lines.extend([
            (
                "metadata, yes: 200 without a token",
                format!("curl -si {metadata}"),
            ),
            (
                "metadata, no: 404, this is no authorization server",
                format!("curl -si {origin}/.well-known/oauth-authorization-server"),
            ),
        ]);
        lines
    }

    fn calls(&self) -> Vec<Line> {
        vec![
            (
                "call, yes: 200, headers that tell the truth about the body",
                self.admin("-H 'Mcp-Method: tools/call' -H 'Mcp-Name: whoami'"),
            ),
            (
                "call, no: 400, a header that lies about the body",
                self.admin("-H 'Mcp-Name: list_notes'"),
            ),
            (
                "call, no: 400, a body that two parsers read differently",
                self.by("ADMIN", TWICE),
            ),
        ]
    }

    fn roles_and_limits(&self) -> Vec<Line> {
        vec![
            (
                "rbac, yes: 200, an admin may delete",
                self.by("ADMIN", DELETE),
            ),
            (
                "rbac, no: 403 without a challenge, a viewer may not",
                self.by("VIEWER", DELETE),
            ),
            (
                "rbac, yes: 200, but reading is a viewer's",
                self.by("VIEWER", LIST),
            ),
            (
                "rbac, not yet: 403 approval needed, somebody else has to approve a developer's wiping",
                self.by("DEVELOPER", WIPE),
            ),
            (
                "rbac, yes: 200, an admin sees what waits, and approves it",
                self.approve(),
            ),
            (
                "rbac, yes: 200 when it is sent again, once",
                self.by("DEVELOPER", WIPE),
            ),
            (
                "rbac, no: 200 and `tool not found`, of a honey tool; the audit record is critical",
                self.by("DEVELOPER", EXPORT),
            ),
            self.used_up("DEVELOPER", LIST),
            self.discovery("DEVELOPER"),
        ]
    }

    fn approve(&self) -> String {
        let approvals = format!("{}/approvals", self.url.trim_end_matches("/mcp"));
        format!(
            "id=$(curl -s {ADMIN} {approvals} | jq -r '.approvals[0].id')\n\
             {POST} {ADMIN} -d '{{\"decision\":\"approve\"}}' {approvals}/$id"
        )
    }

    /// Of a token whose roles we do not know.
    fn roles_and_limits_of_one(&self) -> Vec<Line> {
        vec![
            (
                "rbac, yes: 200, whoever is somebody may ask who",
                self.by("ADMIN", CALL),
            ),
            (
                "rbac, no: 403 without a challenge, no rule speaks of it",
                self.by("ADMIN", LEVEL),
            ),
            self.used_up("ADMIN", CALL),
            self.discovery("ADMIN"),
        ]
    }

    fn used_up(&self, token: &str, body: &str) -> Line {
        (
            "ratelimit, no: 200 at first, then 429 with Retry-After; each account counts for itself",
            format!(
                "for i in $(seq {}); do {} \\\n  \
                 | grep -iE '^(HTTP|retry-after|ratelimit:)'; done | tail -3",
                policy::BURST + 5,
                self.by(token, body)
            ),
        )
    }

    fn discovery(&self, token: &str) -> Line {
        let url = &self.url;
        (
            "ratelimit, yes: 200, asking what the server speaks has its own bucket",
            format!("{POST} -H \"Authorization: Bearer ${token}\" {DISCOVER} {url}"),
        )
    }

    /// Afterwards the whole address has to wait.
    fn address_limit(&self) -> Vec<Line> {
        let url = &self.url;
        vec![
            (
                "address limit, no: 401 for a bad token at first, then 429 with Retry-After, whatever the address sends",
                format!(
                    "for i in $(seq {}); do {POST} -H 'Authorization: Bearer bad' -d {CALL} {url} \\\n  \
                     | grep -iE '^(HTTP|retry-after)'; done | tail -2",
                    policy::FAILURES + 5
                ),
            ),
            (
                "address limit, yes: 200, after Retry-After",
                format!("sleep 3; {}", self.admin("")),
            ),
        ]
    }
}
