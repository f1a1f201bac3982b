//! What rmcp runs is what the layers judged, whatever the body says: attacks as data, each sent through
//! every layer that decides to a server which writes down what it was made to do.

mod server;
mod vector;

use serde_json::Value;

use crate::readings::{Asked, difference_of_request};
use server::{Role, Seen, Server};
use vector::{Expected, Vector};

/// All entries of a file, in all their revisions, by a viewer and an admin, at a server with sessions and at
/// one without. What ran is compared with what was judged, whatever the entry expects.
async fn send_all(
    vectors: &[Vector],
    judge: impl Fn(&Vector, &str, Role, &Seen) -> Option<String>,
) {
    let mut problems = Vec::new();
    for server in [Server::stateless(), Server::with_sessions().await] {
        for vector in vectors {
            for revision in &vector.revisions {
                for role in [Role::Viewer, Role::Admin] {
                    let mut request = vector.request(revision);
                    if !vector.names_a_session() {
                        request = server.in_session(role, request);
                    }
                    let seen = server.send(role, request).await;
                    let problem =
                        unsafe_of(role, &seen).or_else(|| judge(vector, revision, role, &seen));
                    if let Some(problem) = problem {
                        let about = format!(
                            "{} ({}), {revision}, {role:?}",
                            vector.name, vector.requirement
                        );
                        problems.push(format!("{about}: {problem}\n  {seen:?}"));
                    }
                }
            }
        }
    }
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

/// What may never be, whoever sends what.
fn unsafe_of(role: Role, seen: &Seen) -> Option<String> {
    let Some(ran) = &seen.ran else {
        return None;
    };
    let Some(call) = &seen.judged else {
        return Some("it ran unjudged".to_owned());
    };
    if !seen.is_admitted {
        return Some("it ran and was not admitted".to_owned());
    }
    let forbidden = [
        server::DELETE,
        server::SECRET_PROMPT,
        server::SECRET_RESOURCE,
    ];
    let name = Asked::of_rmcp(ran).subject.map(|(_, name)| name);
    if role == Role::Viewer && name.is_some_and(|name| forbidden.contains(&&*name)) {
        return Some("a viewer had it run".to_owned());
    }
    difference_of_request(call, ran)
}

fn expected_of(vector: &Vector, revision: &str, role: Role, seen: &Seen) -> Option<String> {
    let expected = match role {
        Role::Admin => &vector.admin,
        Role::Viewer => vector.viewer.as_ref().unwrap_or(&vector.admin),
    };
    let ran = seen.ran.as_ref().map(|ran| Asked::of_rmcp(ran).written());
    match expected {
        Expected::Refused(status) if seen.status == *status && ran.is_none() => None,
        Expected::Runs(what) if seen.status == 200 && ran.as_ref() == Some(what) => None,
        expected => Some(format!(
            "{expected:?} expected under {revision}, ran {ran:?}"
        )),
    }
}

#[tokio::test]
async fn ta_1_ta_4_tr_11_each_adversarial_body_runs_as_it_was_judged_or_is_refused() {
    let vectors = vector::of(include_str!("../vectors/adversarial.json"));
    assert!(vectors.len() > 100);
    send_all(&vectors, expected_of).await;
}

/// Those that core's own tests judge by core alone.
#[tokio::test]
async fn ta_4_each_message_of_cores_tests_runs_as_it_was_judged_or_is_refused() {
    let messages: Vec<Value> =
        serde_json::from_str(include_str!("../vectors/messages.json")).unwrap();
    let vectors: Vec<_> = messages.iter().map(Vector::of_message).collect();
    send_all(&vectors, |vector, _, _, seen| {
        // With sessions, some are refused before they are read.
        let is_refused = seen.status >= 400 && seen.ran.is_none();
        let is_to_be = matches!(vector.admin, Expected::Refused(_));
        (is_to_be && !is_refused).then(|| "a refusal expected".to_owned())
    })
    .await;
}
