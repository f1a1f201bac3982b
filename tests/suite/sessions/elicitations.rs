//! What a server asks a client's user for is answered in that user's session.

use std::time::Duration;

use axum::body::Body;
use bartizan_kit::{McpRequest, call_tool, get_stream, raw};
use http_body_util::BodyExt;
use rmcp::{
    RoleServer,
    model::{ClientResult, ElicitRequest, ServerRequest},
    service::Peer,
};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{REVISION, Server};

/// What the tool does: asks, and tells the answer.
pub(super) async fn ask(peer: &Peer<RoleServer>) -> String {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    let params = json!({"mode": "form", "message": "Who are you?", "requestedSchema": schema});
    let request: ElicitRequest =
        serde_json::from_value(json!({"method": "elicitation/create", "params": params})).unwrap();
    match peer
        .send_request(ServerRequest::ElicitRequest(request))
        .await
    {
        Ok(ClientResult::ElicitResult(answer)) => format!("I am {}", json!(answer.content)["name"]),
        other => format!("{other:?}"),
    }
}

/// The streams on which the server may bring something to one session.
struct Streams(Vec<Body>);

impl Streams {
    async fn open(server: &Server, who: &str, session: &str) -> Self {
        let mut streams = Vec::new();
        for request in [get_stream(REVISION), call_tool(REVISION, "ask", json!({}))] {
            let token = server.mint.token().sub(who).encode();
            let request = request.session(session).bearer(token).host("localhost");
            let answer = server.app.clone().oneshot(request.build_axum()).await;
            let answer = answer.unwrap();
            assert_eq!(answer.status(), 200);
            streams.push(answer.into_body());
        }
        Self(streams)
    }

    /// The first message that has a member of this name.
    async fn message_with(&mut self, member: &str) -> Value {
        let mut seen = String::new();
        for _ in 0..200 {
            for body in &mut self.0 {
                let Ok(Some(frame)) = tokio::time::timeout(SOON, body.frame()).await else {
                    continue;
                };
                let data = frame.unwrap().into_data().unwrap_or_default();
                seen.push_str(std::str::from_utf8(&data).unwrap());
            }
            let messages = seen.lines().filter_map(|line| line.strip_prefix("data:"));
            let mut messages = messages.filter_map(|data| serde_json::from_str::<Value>(data).ok());
            if let Some(message) = messages.find(|message| message.get(member).is_some()) {
                return message;
            }
        }
        panic!("no {member} in {seen}");
    }
}

const SOON: Duration = Duration::from_millis(25);

fn answer(to: &Value, name: &str, session: &str) -> McpRequest {
    let result = json!({"action": "accept", "content": {"name": name}});
    let message = json!({"jsonrpc": "2.0", "id": to["id"], "result": result});
    let request = raw(message.to_string()).session(session);
    request.header("mcp-protocol-version", REVISION.as_str())
}

/// Whom the tool takes for Ann, after Bob answered for her, and what he was answered.
async fn asked_of_ann_and_answered_by_bob(server: Server) -> (Value, u16) {
    let (anns, _bobs) = (server.begin("ann").await, server.begin("bob").await);
    let mut streams = Streams::open(&server, "ann", &anns).await;
    let question = streams.message_with("method").await;
    assert_eq!(question["method"], "elicitation/create");
    let forged = server.ask("bob", answer(&question, "bob", &anns)).await;
    if forged.status == 404 {
        let own = server.ask("ann", answer(&question, "ann", &anns)).await;
        assert_eq!(own.status, 202, "{own:?}");
    }
    let told = streams.message_with("result").await;
    let text = told["result"]["content"][0]["text"].clone();
    (text, forged.status.as_u16())
}

#[tokio::test]
async fn rmcp_alone_takes_a_second_users_answer_for_the_first_ones() {
    let (told, status) = asked_of_ann_and_answered_by_bob(Server::bare()).await;
    assert_eq!((told.as_str(), status), (Some("I am \"bob\""), 202));
}

#[tokio::test]
async fn ta_11_an_elicitation_is_answered_by_whom_it_was_put_to() {
    let (told, status) = asked_of_ann_and_answered_by_bob(Server::bound()).await;
    assert_eq!((told.as_str(), status), (Some("I am \"ann\""), 404));
}
