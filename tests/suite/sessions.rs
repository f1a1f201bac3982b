//! rmcp's sessions: as it has them, anybody's who knows the id; behind `SessionLayer`, their owner's.

mod elicitations;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::Router;
use bartizan::{CallLayer, JwtLayer, JwtVerifier, SessionLayer, session::SessionKeys};
use bartizan_kit::{
    McpRequest, Revision, TokenMint, call_tool, delete_session, get_stream, initialize, post,
};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use rmcp::{
    RoleServer, ServerHandler,
    handler::server::router::tool::ToolRouter,
    model::{ServerCapabilities, ServerConfig},
    service::RequestContext,
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService,
        session::{
            EventStore, EventStoreError, EventStream, ServerSseMessage, local::LocalSessionManager,
        },
    },
};
use serde_json::json;
use tower::{ServiceBuilder, ServiceExt};

const REVISION: Revision = Revision::V2025_11_25;
const LONG: Duration = Duration::from_millis(500);

/// A server with sessions behind authentication, and what mints its tokens.
struct Server {
    app: Router,
    mint: TokenMint,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    /// What of the body came at once.
    body: String,
}

impl Server {
    fn bare() -> Self {
        Self::new(None, LocalSessionManager::default())
    }

    fn bound() -> Self {
        let keys = SessionKeys::until_restart().unwrap();
        Self::new(
            Some(SessionLayer::new(keys)),
            LocalSessionManager::default(),
        )
    }

    fn new(layer: Option<SessionLayer>, manager: LocalSessionManager) -> Self {
        let mint = TokenMint::new("https://auth.example.com", "https://mcp.example.com/mcp");
        let jwt = JwtVerifier::builder()
            .issuer(mint.issuer())
            .audience(mint.audience())
            .jwk_set(mint.jwks().to_string())
            .build()
            .unwrap();
        let tools = Tools {
            tool_router: Tools::tool_router(),
        };
        let config = StreamableHttpServerConfig::default().with_sse_keep_alive(None);
        let mcp = StreamableHttpService::new(move || Ok(tools.clone()), manager.into(), config);
        let auth = JwtLayer::new(jwt);
        let app = Router::new().nest_service("/mcp", mcp);
        let app = match layer {
            Some(layer) => {
                let guards = ServiceBuilder::new().layer(auth).layer(layer);
                app.route_layer(guards.layer(CallLayer::new()))
            }
            None => app.route_layer(auth),
        };
        Self { app, mint }
    }

    async fn ask(&self, who: &str, request: McpRequest) -> Answer {
        let token = self.mint.token().sub(who).encode();
        self.send(request.bearer(token)).await
    }

    async fn send(&self, request: McpRequest) -> Answer {
        let request = request.host("localhost").build_axum();
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (head, mut body) = response.into_parts();
        let mut text = String::new();
        while let Ok(Some(frame)) = tokio::time::timeout(LONG, body.frame()).await {
            let data = frame.unwrap().into_data().unwrap_or_default();
            text.push_str(std::str::from_utf8(&data).unwrap());
        }
        Answer {
            status: head.status,
            headers: head.headers,
            body: text,
        }
    }

    /// Begins a session, and tells its id.
    async fn begin(&self, who: &str) -> String {
        let answer = self.ask(who, initialize(REVISION)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let id = answer.headers["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let ready = post(REVISION, "notifications/initialized", json!({})).notification();
        let answer = self.ask(who, ready.session(&id)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        id
    }
}

fn greet() -> McpRequest {
    call_tool(REVISION, "greet", json!({}))
}

/// The id of the first event that has one.
fn event_id(answer: &Answer) -> &str {
    let id = answer
        .body
        .lines()
        .find_map(|line| line.strip_prefix("id:"));
    id.unwrap_or_else(|| panic!("{answer:?}")).trim_start()
}

#[tokio::test]
async fn rmcp_alone_lets_a_second_user_use_and_end_the_first_ones_session() {
    let server = Server::bare();
    let anns = server.begin("ann").await;
    let answer = server.ask("bob", greet().session(&anns)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("hello"), "{answer:?}");
    let answer = server.ask("bob", get_stream(REVISION).session(&anns)).await;
    assert_eq!(answer.status, 200);
    let answer = server.ask("bob", delete_session(REVISION, &anns)).await;
    assert_eq!(answer.status, 202);
    let answer = server.ask("ann", greet().session(&anns)).await;
    assert_eq!(answer.status, 404, "it is gone");
}

#[tokio::test]
async fn se_3_behind_the_layer_the_session_of_another_is_as_unknown_as_none() {
    let server = Server::bound();
    let anns = server.begin("ann").await;
    let bobs = server.begin("bob").await;
    let mut unknown: Option<(HeaderMap, String)> = None;
    for id in [&*anns, "5f0c9f9e-7c3b-4a57-9d5d-0d8d1f6a2b11", &bobs[1..]] {
        for request in [
            greet().session(id),
            post(REVISION, "ping", json!({})).session(id),
            post(REVISION, "notifications/initialized", json!({}))
                .notification()
                .session(id),
            get_stream(REVISION).session(id),
            get_stream(REVISION)
                .session(id)
                .header("last-event-id", "0"),
            delete_session(REVISION, id),
        ] {
            let answer = server.ask("bob", request).await;
            assert_eq!(answer.status, 404, "{id}: {answer:?}");
            let same = unknown.get_or_insert((answer.headers.clone(), answer.body.clone()));
            assert_eq!(*same, (answer.headers, answer.body));
        }
    }
    // Nothing of that reached her session.
    let answer = server.ask("ann", greet().session(&anns)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("hello"), "{answer:?}");
}

#[tokio::test]
async fn se_3_a_session_is_no_credential() {
    let server = Server::bound();
    let anns = server.begin("ann").await;
    for request in [
        greet().session(&anns),
        get_stream(REVISION).session(&anns),
        delete_session(REVISION, &anns),
    ] {
        assert_eq!(server.send(request).await.status, 401);
    }
}

#[tokio::test]
async fn its_owner_works_in_a_session_from_beginning_to_end() {
    let server = Server::bound();
    let session = server.begin("ann").await;
    for _ in 0..2 {
        let answer = server.ask("ann", greet().session(&session)).await;
        assert!(answer.body.contains("hello"), "{answer:?}");
    }
    let answer = server
        .ask("ann", get_stream(REVISION).session(&session))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let answer = server.ask("ann", delete_session(REVISION, &session)).await;
    assert_eq!(answer.status, 202);
    let answer = server.ask("ann", greet().session(&session)).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn se_5_a_modern_request_is_served_without_the_session_that_it_names() {
    let server = Server::bound();
    let anns = server.begin("ann").await;
    let modern = call_tool(Revision::V2026_07_28, "greet", json!({})).session(&anns);
    let answer = server.ask("bob", modern).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.headers.contains_key("mcp-session-id"));
    let get = get_stream(Revision::V2026_07_28).session(&anns);
    assert_eq!(server.ask("bob", get).await.status, 405);
}

#[tokio::test]
async fn se_4_rmcp_alone_replays_events_of_a_shared_store_to_anybody() {
    for revision in [REVISION, Revision::V2026_07_28] {
        let server = Server::new(None, Events::manager());
        let (anns, bobs) = (server.begin("ann").await, server.begin("bob").await);
        server.ask("ann", greet().session(&anns)).await;
        // Ids count up in this store: the first event is hers.
        let guess = get_stream(revision)
            .session(&bobs)
            .header("last-event-id", "0");
        let answer = server.ask("bob", guess).await;
        assert!(answer.body.contains("hello"), "{answer:?}");
    }
}

#[tokio::test]
async fn se_4_behind_the_layer_an_event_is_replayed_in_its_session_only() {
    let keys = SessionKeys::until_restart().unwrap();
    let server = Server::new(Some(SessionLayer::new(keys)), Events::manager());
    let (anns, bobs) = (server.begin("ann").await, server.begin("bob").await);
    let other = server.begin("ann").await;
    let greeted = server.ask("ann", greet().session(&anns)).await;
    let event = event_id(&greeted);
    let resume = |revision, session: &str, event: &str| {
        get_stream(revision)
            .session(session)
            .header("last-event-id", event)
    };
    for (who, session, event) in [
        ("bob", &bobs, "0"),
        ("bob", &bobs, event),
        ("bob", &anns, event),
        ("ann", &other, event),
    ] {
        let answer = server.ask(who, resume(REVISION, session, event)).await;
        assert_eq!(answer.status, 404, "{who}: {answer:?}");
        let modern = resume(Revision::V2026_07_28, session, event);
        assert_eq!(server.ask(who, modern).await.status, 405);
    }
    let answer = server.ask("ann", resume(REVISION, &anns, event)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("hello"), "{answer:?}");
    // What is replayed can be resumed from as well.
    let again = resume(REVISION, &anns, event_id(&answer));
    assert_eq!(server.ask("ann", again).await.status, 200);
}

/// A store that all sessions share, as rmcp has it for several nodes. Its ids count up.
#[derive(Default)]
struct Events(Mutex<Vec<(String, ServerSseMessage)>>);

impl Events {
    fn manager() -> LocalSessionManager {
        LocalSessionManager::default().with_event_store(Arc::new(Self::default()))
    }
}

#[async_trait]
impl EventStore for Events {
    async fn store_event(
        &self,
        stream: &str,
        event: &ServerSseMessage,
    ) -> Result<String, EventStoreError> {
        let mut events = self.0.lock().unwrap();
        events.push((stream.to_owned(), event.clone()));
        Ok((events.len() - 1).to_string())
    }

    async fn replay_events_after(&self, id: &str) -> Result<EventStream, EventStoreError> {
        let events = self.0.lock().unwrap();
        let id: usize = id.parse()?;
        let stream = &events.get(id).ok_or("no such event")?.0;
        let later: Vec<_> = (id + 1..)
            .zip(&events[id + 1..])
            .filter(|(_, (of, _))| of == stream)
            .map(|(index, (_, event))| {
                let mut event = event.clone();
                event.event_id = Some(index.to_string());
                event
            })
            .collect();
        Ok(Box::pin(futures_util::stream::iter(later)))
    }
}

#[derive(Clone)]
struct Tools {
    #[allow(dead_code, reason = "read by the code that the macro writes")]
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Tools {
    #[tool(description = "Greets")]
    fn greet(&self) -> String {
        "hello".to_owned()
    }

    #[tool(description = "Asks the client's user for a name")]
    async fn ask(&self, context: RequestContext<RoleServer>) -> String {
        elicitations::ask(&context.peer).await
    }
}

#[tool_handler]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}
