use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan_core::{Denial, DenialKind, Events};
use bartizan_kit::{Revision, call_tool};
use bartizan_validate::{Fingerprint, OnChange, Pins, Validate, ValidateLayer};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

use crate::server::{Server, tool};

type Seen = Arc<Mutex<Vec<String>>>;

fn events() -> (Events, Seen) {
    let seen = Seen::default();
    let events = Events::to({
        let seen = Arc::clone(&seen);
        move |event| {
            if event.kind == "tool_changed" {
                seen.lock().unwrap().push(event.detail.to_string());
            }
        }
    });
    (events, seen)
}

async fn status(service: &Validate<Server>, name: &str) -> (u16, Option<DenialKind>) {
    let request = call_tool(Revision::V2026_07_28, name, json!({})).build();
    let response = service.clone().oneshot(request).await.unwrap();
    (
        response.status().as_u16(),
        response.extensions().get().map(Denial::kind),
    )
}

fn described(text: &str) -> Value {
    let mut tool = tool("a", &json!({}));
    tool["description"] = json!(text);
    tool
}

#[tokio::test(start_paused = true)]
async fn a_tool_whose_description_changes_is_an_event_or_a_refusal() {
    for refuses in [false, true] {
        let (events, seen) = events();
        let server = Server::default();
        server.state().pages = vec![json!([described("good"), tool("b", &json!({}))])];
        let layer = ValidateLayer::new().events(events);
        let pins = Pins::new();
        let layer = match refuses {
            false => layer,
            true => layer.on_change(OnChange::Refuse).pins(pins.clone()),
        };
        let service = layer.layer(server.clone());
        assert_eq!(status(&service, "a").await, (200, None));
        assert!(seen.lock().unwrap().is_empty());
        server.state().pages = vec![json!([described("evil"), tool("b", &json!({}))])];
        tokio::time::advance(Duration::from_secs(301)).await;
        let expected = match refuses {
            false => (200, None),
            true => (403, Some(DenialKind::Forbidden)),
        };
        assert_eq!(status(&service, "a").await, expected);
        assert_eq!(status(&service, "b").await, (200, None));
        let was = Fingerprint::of_tool(&described("good").to_string()).unwrap();
        let now = Fingerprint::of_tool(&described("evil").to_string()).unwrap();
        let told = format!("tool `a` was {was} and is {now}");
        assert_eq!(*seen.lock().unwrap(), [told]);
        if refuses {
            pins.pin("a", now);
            assert_eq!(status(&service, "a").await, (200, None));
        }
        // Away and back again is no way around it.
        server.state().pages = vec![json!([])];
        tokio::time::advance(Duration::from_secs(301)).await;
        status(&service, "a").await;
        server.state().pages = vec![json!([described("worse")])];
        tokio::time::advance(Duration::from_secs(301)).await;
        assert_eq!(status(&service, "a").await, expected);
    }
}

#[tokio::test]
async fn a_tool_that_is_pinned_by_configuration_is_that_from_the_first_list_on() {
    for (pinned, expected) in [("good", 200), ("other", 403)] {
        let server = Server::default();
        server.state().pages = vec![json!([described("good")])];
        let fingerprint = Fingerprint::of_tool(&described(pinned).to_string()).unwrap();
        let layer = ValidateLayer::new().pin("a", fingerprint);
        let service = layer.on_change(OnChange::Refuse).layer(server);
        assert_eq!(status(&service, "a").await.0, expected);
    }
}
