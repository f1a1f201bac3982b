#![expect(deprecated, reason = "what rmcp still serves is attacked as well")]

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::Router;
use bartizan::{
    CallLayer, JwtLayer, JwtVerifier, RbacLayer, SecurityContext, SessionLayer, TaskOwnerLayer,
    Verdict,
    call::Call,
    rbac::{Policy, Rule},
    session::SessionKeys,
};
use bartizan_kit::{McpRequest, Revision, TokenMint, initialize, post};
use http_body_util::BodyExt;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequest, CallToolRequestParams, CallToolResponse, CallToolResult, ClientRequest,
        CompleteRequest, CompleteRequestParams, CompleteResult, CustomRequest, CustomResult,
        GetPromptRequest, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
        ReadResourceRequest, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
        ServerCapabilities, ServerConfig, SubscribeRequest, SubscribeRequestParams,
        UnsubscribeRequest, UnsubscribeRequestParams,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::json;
use tower::{ServiceBuilder, ServiceExt};

pub(super) const DELETE: &str = "delete";
pub(super) const SECRET_PROMPT: &str = "secret";
pub(super) const SECRET_RESOURCE: &str = "file:///secret/a";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Viewer,
    Admin,
}

/// What came of a request.
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) judged: Option<Call>,
    pub(super) is_admitted: bool,
    pub(super) ran: Option<ClientRequest>,
    body: String,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}, ran {:?}", self.status, self.body, self.ran)
    }
}

/// An rmcp server behind every layer that decides.
pub(super) struct Server {
    app: Router,
    ran: Log,
    /// A viewer's and an admin's.
    tokens: [String; 2],
    /// A viewer's and an admin's, where there are sessions.
    sessions: Vec<String>,
}

impl Server {
    pub(super) fn stateless() -> Self {
        Self::new(false)
    }

    pub(super) async fn with_sessions() -> Self {
        let mut server = Self::new(true);
        for role in [Role::Viewer, Role::Admin] {
            server.sessions.push(server.begin(role).await);
        }
        server
    }

    fn new(has_sessions: bool) -> Self {
        let mint = TokenMint::new("https://auth.example.com", "https://mcp.example.com/mcp");
        let jwt = JwtVerifier::builder()
            .issuer(mint.issuer())
            .audience(mint.audience())
            .jwk_set(mint.jwks().to_string())
            .build()
            .unwrap();
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(has_sessions)
            .with_json_response(!has_sessions)
            .with_sse_keep_alive(None);
        let ran = Log::default();
        let tools = Tools(ran.clone());
        let manager = LocalSessionManager::default();
        let mcp = StreamableHttpService::new(move || Ok(tools.clone()), manager.into(), config);
        let guards = ServiceBuilder::new()
            .layer(JwtLayer::new(jwt))
            .layer(SessionLayer::new(SessionKeys::until_restart().unwrap()))
            .layer(CallLayer::new())
            .layer(RbacLayer::new(policy()))
            .layer(TaskOwnerLayer::in_memory());
        let app = Router::new().nest_service("/mcp", mcp).route_layer(guards);
        Self {
            app,
            ran,
            tokens: ["viewer", "admin"].map(|role| {
                let token = mint.token().sub("vera");
                token.claim("roles", json!([role])).encode()
            }),
            sessions: Vec::new(),
        }
    }

    pub(super) fn in_session(&self, role: Role, request: McpRequest) -> McpRequest {
        match self.sessions.get(role as usize) {
            Some(session) => request.session(session),
            None => request,
        }
    }

    pub(super) async fn send(&self, role: Role, request: McpRequest) -> Seen {
        self.ask(role, request).await.0
    }

    async fn ask(&self, role: Role, request: McpRequest) -> (Seen, http::HeaderMap) {
        let request = request
            .bearer(&self.tokens[role as usize])
            .host("localhost");
        let mut request = request.build_axum();
        let context = SecurityContext::of(&mut request);
        context.open_trail();
        let answer = self.app.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = tokio::time::timeout(Duration::from_secs(5), body.collect()).await;
        let body = body.expect("an answer that ends").unwrap().to_bytes();
        let mut ran = std::mem::take(&mut *self.ran.lock());
        assert!(ran.len() < 2, "one body, and more than one call: {ran:?}");
        let findings = context.open_trail().findings();
        let admitted = |layer| {
            let mut of_layer = findings.iter().filter(|finding| finding.layer == layer);
            of_layer.any(|finding| finding.verdict == Verdict::Allowed)
        };
        let seen = Seen {
            status: head.status.as_u16(),
            judged: context.call().cloned(),
            is_admitted: admitted("rbac"),
            ran: ran.pop(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        (seen, head.headers)
    }

    async fn begin(&self, role: Role) -> String {
        const REVISION: Revision = Revision::V2025_11_25;
        let (_, headers) = self.ask(role, initialize(REVISION)).await;
        let id = headers["mcp-session-id"].to_str().unwrap().to_owned();
        let ready = post(REVISION, "notifications/initialized", json!({})).notification();
        assert_eq!(self.ask(role, ready.session(&id)).await.0.status, 202);
        id
    }
}

/// Viewers may do all but what has its own rule.
fn policy() -> Policy {
    let policy = Policy::enterprise()
        .rule(Rule::tool("*").role("viewer"))
        .rule(Rule::tool(DELETE).role("admin"))
        .rule(Rule::prompt("*").role("viewer"))
        .rule(Rule::prompt(SECRET_PROMPT).role("admin"))
        .rule(Rule::resource("file:///**").role("viewer"))
        .rule(Rule::resource("file:///secret/**").role("admin"))
        .rule(Rule::method("acme/*").role("viewer"))
        .rule(Rule::method("tasks/*").role("viewer"))
        .rule(Rule::method("subscriptions/listen").role("viewer"));
    policy.build().unwrap()
}

/// What the server was made to do.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<ClientRequest>>>);

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<ClientRequest>> {
        self.0.lock().unwrap()
    }
}

/// Has a tool, a prompt and a resource of every name.
#[derive(Clone)]
struct Tools(Log);

impl Tools {
    fn ran(&self, request: impl Into<ClientRequest>) {
        self.0.lock().push(request.into());
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .enable_completions();
        ServerConfig::new(capabilities.build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.ran(CallToolRequest::new(request));
        Ok(CallToolResult::success(Vec::new()).into())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.ran(GetPromptRequest::new(request));
        Ok(GetPromptResult::new(Vec::new()).into())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.ran(ReadResourceRequest::new(request));
        Ok(ReadResourceResult::new(Vec::new()).into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.ran(CompleteRequest::new(request));
        Ok(CompleteResult::default())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.ran(SubscribeRequest::new(request));
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.ran(UnsubscribeRequest::new(request));
        Ok(())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.ran(request);
        Ok(CustomResult::new(json!({})))
    }
}
