use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::{
    Gathered, Media,
    sse::{EventReader, Piece},
};
use bytes::Bytes;
use http::Response;
use http_body::Body;

use super::{
    Known,
    list::{NoPage, Page, REFUSED},
    news::tells_change,
};

/// An answer that is to be a page of a list, while it is read.
pub(super) struct Answer<B> {
    body: Pin<Box<B>>,
    id: String,
    most: usize,
    so_far: SoFar,
}

enum SoFar {
    Json(Gathered),
    Events { reader: EventReader, bytes: usize },
}

const TOO_LARGE: NoPage = NoPage("is too large");

impl<B: Body<Data = Bytes>> Answer<B> {
    pub(super) fn of(response: Response<B>, id: String, most: usize) -> Result<Self, NoPage> {
        let (head, body) = response.into_parts();
        match head.status.as_u16() {
            200 => {}
            400 | 401 | 403 | 404 | 422 => return Err(REFUSED),
            _ => return Err(NoPage("has a status that is not 200")),
        }
        if !Media::is_plain(&head.headers) {
            return Err(NoPage("has a content encoding"));
        }
        let so_far = match Media::of(&head.headers) {
            Media::Json => SoFar::Json(Gathered::new()),
            Media::EventStream => SoFar::Events {
                reader: EventReader::new(most),
                bytes: 0,
            },
            _ => return Err(NoPage("is neither JSON nor an event stream")),
        };
        Ok(Self {
            body: Box::pin(body),
            id,
            most,
            so_far,
        })
    }

    /// The page, and how many bytes it had.
    pub(super) fn poll_page(
        &mut self,
        cx: &mut Context<'_>,
        known: &Known,
    ) -> Poll<Result<(Page, usize), NoPage>> {
        loop {
            let frame = match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(_)) => return Poll::Ready(Err(NoPage("broke off"))),
                None => return Poll::Ready(self.end()),
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            match self.take(data, known) {
                Ok(None) => {}
                Ok(Some(page)) => return Poll::Ready(Ok(page)),
                Err(why) => return Poll::Ready(Err(why)),
            }
        }
    }

    fn take(&mut self, data: Bytes, known: &Known) -> Result<Option<(Page, usize)>, NoPage> {
        match &mut self.so_far {
            SoFar::Json(gathered) => {
                if gathered.len() + data.len() > self.most {
                    return Err(TOO_LARGE);
                }
                gathered.push(data);
            }
            SoFar::Events { reader, bytes } => {
                // Of other messages there may be many before it.
                *bytes += data.len();
                if *bytes > self.most {
                    return Err(TOO_LARGE);
                }
                reader.push(data);
                while let Some(piece) = reader.next() {
                    let event = match piece {
                        Piece::Event(event) => event,
                        Piece::Part(_) => return Err(TOO_LARGE),
                        Piece::Comment(_) | Piece::Feed(_) => continue,
                    };
                    let data = event.data().unwrap_or_default();
                    if data.trim_ascii().is_empty() {
                        continue;
                    }
                    if let Some(page) = Page::read(&data, Some(&self.id))? {
                        return Ok(Some((page, *bytes)));
                    }
                    if tells_change(&data) {
                        known.change();
                    }
                }
            }
        }
        Ok(None)
    }

    fn end(&mut self) -> Result<(Page, usize), NoPage> {
        match &mut self.so_far {
            SoFar::Json(gathered) => {
                let text = gathered.take();
                let page = Page::read(&text, Some(&self.id))?;
                Ok((page.ok_or(NoPage("is to another request"))?, text.len()))
            }
            SoFar::Events { .. } => Err(NoPage("ended before it came")),
        }
    }
}

impl<B> fmt::Debug for Answer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}
