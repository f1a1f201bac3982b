//! Detectors behind the real stack: who is told of, and who is not.

use std::{
    convert::Infallible,
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan::{
    Alerts, AuditLayer, Detectors, JsonLines, JwtLayer, JwtVerifier, SecurityContext,
    alerts::{Delivery, Outbox, Receiver, Rules, Undelivered},
};
use bartizan_kit::TokenMint;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::Value;
use tower::{ServiceBuilder, ServiceExt, service_fn};

type Body = Full<Bytes>;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps what each alert says.
#[derive(Clone, Default)]
struct OnDuty(Arc<Mutex<Vec<Value>>>);

impl Receiver for OnDuty {
    fn receive(&mut self, delivery: &Delivery<'_>) -> Result<(), Undelivered> {
        let told = serde_json::from_str(&delivery.to_json()).unwrap();
        self.0.lock().unwrap().push(told);
        Ok(())
    }
}

#[tokio::test]
async fn al_5_a_stranger_who_stuffs_tokens_is_told_of_and_who_has_good_ones_is_not() {
    let mint = TokenMint::new("https://auth.example.com", "https://mcp.example.com/mcp");
    let jwt = JwtVerifier::builder()
        .issuer(mint.issuer())
        .audience(mint.audience())
        .jwk_set(mint.jwks().to_string())
        .build()
        .unwrap();
    let log = Log::default();
    let on_duty = OnDuty::default();
    let outbox = Outbox::to("on_duty", on_duty.clone()).unwrap();
    let alerts = Alerts::by(Rules::recommended()).send_to(outbox).build();
    let alerts = alerts.unwrap();
    let deliveries = alerts.deliveries();
    let lines = JsonLines::to(log.clone())
        .watched_by(Detectors::new())
        .watched_by(alerts);
    let audit = AuditLayer::new(lines);
    let inner = service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(Body::default()))
    });
    let service = ServiceBuilder::new()
        .layer(audit.clone())
        .layer(JwtLayer::new(jwt))
        .service(inner);
    let ask = async |token: String, address: [u8; 4]| {
        let mut request = Request::post("/mcp").body(Body::default()).unwrap();
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        let context = SecurityContext::of(&mut request);
        context.set_client_address(address.into()).unwrap();
        let answer: Response<_> = service.clone().oneshot(request).await.unwrap();
        answer.status().as_u16()
    };
    // Guesses: what is no token, and tokens whose signature is not theirs.
    for number in 0..30 {
        let guess = match number % 2 {
            0 => format!("guess-{number}"),
            _ => {
                let token = mint.token().sub(format!("user{number}")).encode();
                let (signed, _) = token.rsplit_once('.').unwrap();
                format!("{signed}.{}", "A".repeat(86))
            }
        };
        assert_eq!(ask(guess, [192, 0, 2, 7]).await, 401);
        let good = mint.token().sub(format!("user{number}")).encode();
        assert_eq!(ask(good, [198, 51, 100, 7]).await, 200);
    }
    audit.flush(Duration::from_secs(10)).unwrap();
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let anomalies: Vec<_> = records
        .iter()
        .filter(|record| record["event_type"] == "anomaly")
        .collect();
    assert_eq!(anomalies.len(), 1, "{anomalies:?}");
    let found = &anomalies[0]["metadata"]["found"];
    assert_eq!(found["detector"], "credential_stuffing");
    assert_eq!(found["about"], "network 192.0.2.0/24");
    // It stands right behind the guess that showed it, or behind what alerts say of that one by themselves: the
    // twentieth failure is one for them, and the twentieth token at times the nineteenth by the detector's count.
    let place = anomalies[0]["sequence"].as_u64().unwrap();
    let earlier = &records[..usize::try_from(place).unwrap() - 1];
    let mut earlier = earlier.iter().rev();
    let before = earlier
        .find(|record| record["event_type"] != "alert")
        .unwrap();
    assert_eq!(before["event_id"], found["event_id"]);
    assert_eq!(before["event_type"], "authentication_failure");
    // Who is on duty is told while it happens, and the log says so.
    deliveries.flush(Duration::from_secs(10)).unwrap();
    let told = on_duty.0.lock().unwrap().clone();
    let alert = &records[usize::try_from(place).unwrap()];
    assert_eq!(alert["event_type"], "alert");
    let of_it = |alert: &&Value| alert["group"]["detector"] == "credential_stuffing";
    assert_eq!(told.iter().filter(of_it).count(), 1, "{told:?}");
    assert!(
        !text.contains("guess-"),
        "no credential is in the log (AL-2)"
    );
}
