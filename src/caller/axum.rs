use axum::{
    body::Body,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::request::Parts;

use super::{Caller, CallerRejection};

impl IntoResponse for CallerRejection {
    fn into_response(self) -> Response {
        self.into_answer::<Body>().map(Body::new)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = CallerRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, CallerRejection> {
        Self::find(&parts.extensions)
    }
}
