//! Where and how a request presents its token (`tests/vectors/authorization.json`); the token is good.

use serde::Deserialize;

use super::*;

const VECTORS: &str = include_str!("../../../../tests/vectors/authorization.json");

/// `$T` is the token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    #[serde(rename = "source")]
    _source: String,
    /// The lines of `Authorization`.
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    others: Vec<(String, String)>,
    #[serde(default)]
    query: Option<String>,
    status: u16,
    error: Option<String>,
}

impl Vector {
    fn request(&self, token: &str) -> Request<Full<Bytes>> {
        let with_token = |text: &str| text.replace("$T", token);
        let query = self.query.as_deref().map(with_token);
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        let mut request = Request::post(format!("/mcp{query}"));
        for field in &self.fields {
            request = request.header(AUTHORIZATION, with_token(field));
        }
        for (name, field) in &self.others {
            request = request.header(name, with_token(field));
        }
        request.body(Full::default()).unwrap()
    }
}

#[tokio::test]
async fn every_way_to_present_a_token_has_its_one_answer() {
    let clock = clock();
    let layer = JwtLayer::new(builder(&clock).build().unwrap());
    let token = mint(&clock).token().encode();
    let vectors: Vec<Vector> = serde_json::from_str(VECTORS).unwrap();
    assert!(vectors.len() > 35);
    for vector in &vectors {
        let name = &vector.name;
        let answer = send(&layer, vector.request(&token)).await;
        assert_eq!(answer.status().as_u16(), vector.status, "{name}");
        let line = challenge(&answer).to_owned();
        match &vector.error {
            None => assert!(!line.contains("error"), "AC-4: {name}: {line}"),
            Some(error) => assert!(
                line.contains(&format!(r#"error="{error}""#)),
                "{name}: {line}"
            ),
        }
        assert_eq!(line.is_empty(), vector.status == 200, "{name}");
        assert!(!text(answer).await.contains(&token), "TV-21: {name}");
    }
}
