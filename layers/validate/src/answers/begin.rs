use std::pin::Pin;

use bartizan_core::Media;
use bytes::Bytes;
use http::Response;
use http_body::Body;

use super::{
    Lens, Look, Stream, Whole,
    look::{ENCODED, NO_MEDIA},
    whole::refused,
};
use crate::CheckBody;

/// What becomes of an answer, as far as its head tells.
pub(crate) enum Begun<B> {
    Answer(Response<CheckBody<B>>),
    Whole(Pin<Box<Whole<B>>>),
}

/// Looks at an answer's head.
pub(crate) fn begin<B: Body<Data = Bytes>>(
    mut response: Response<B>,
    mut lens: Box<Lens>,
) -> Begun<B> {
    let is_nothing = response.body().is_end_stream();
    if is_nothing || !response.status().is_success() && !lens.turn_to_failure() {
        return Begun::Answer(response.map(CheckBody::untouched));
    }
    if !lens.holds() {
        let look = Look::new(lens, response.headers());
        return Begun::Answer(response.map(|body| CheckBody::looked_at(body, look)));
    }
    let why = match Media::of(response.headers()) {
        _ if !Media::is_plain(response.headers()) => ENCODED,
        _ if lens.is_failure() => return Begun::Whole(Box::pin(Whole::new(response, lens))),
        Media::Json => return Begun::Whole(Box::pin(Whole::new(response, lens))),
        media if lens.is_to_nobody() && media != Media::EventStream => {
            return Begun::Whole(Box::pin(Whole::new(response, lens)));
        }
        Media::EventStream => {
            Media::forget_body(response.headers_mut());
            let stream = Stream::new(lens);
            return Begun::Answer(response.map(|body| CheckBody::stream(body, stream)));
        }
        _ => NO_MEDIA,
    };
    Begun::Answer(refused(&lens, why).map(CheckBody::refusal))
}
