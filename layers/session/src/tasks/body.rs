use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::{
    Denial, Gathered,
    sse::{Event, EventReader, Part, Piece, Seam},
};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use serde_json::json;

use super::{
    answer::{Fate, Judging, Reads, Watch},
    event, message,
};

pin_project! {
    /// An answer's body: the inner one, or its event stream with each event judged before it leaves, or
    /// a message that was judged.
    #[derive(Debug)]
    pub struct TaskBody<B> {
        #[pin]
        held: Held<B>,
    }
}

pin_project! {
    #[project = HeldProj]
    #[derive(Debug)]
    enum Held<B> {
        Inner { #[pin] body: B },
        Stream { #[pin] body: B, stream: Box<Stream> },
        Message { bytes: Option<Bytes>, trailers: Option<HeaderMap> },
    }
}

/// What a stream is judged with, and what of it waits.
struct Stream {
    watch: Watch,
    events: EventReader,
    judging: Option<(Judging, Event)>,
    out: Gathered,
    trailers: VecDeque<HeaderMap>,
    /// The body has come to its end, and must not be asked again.
    is_over: bool,
    /// All of its data has come.
    is_closed: bool,
    /// The rest of a long event is left out.
    is_dropping: bool,
    /// In a long event a name may be cut in two.
    seam: Seam,
}

impl<B> TaskBody<B> {
    pub(crate) fn inner(body: B) -> Self {
        Self {
            held: Held::Inner { body },
        }
    }

    pub(crate) fn message(bytes: Bytes, trailers: Option<HeaderMap>) -> Self {
        let bytes = (!bytes.is_empty()).then_some(bytes);
        Self {
            held: Held::Message { bytes, trailers },
        }
    }

    pub(crate) fn stream(body: B, watch: Watch) -> Self {
        let stream = Box::new(Stream {
            events: EventReader::new(watch.rules.answer_bytes),
            watch,
            judging: None,
            out: Gathered::new(),
            trailers: VecDeque::new(),
            is_over: false,
            is_closed: false,
            is_dropping: false,
            seam: Seam::new(message::TASK_ID.len()),
        });
        Self {
            held: Held::Stream { body, stream },
        }
    }
}

impl<B: Body<Data = Bytes>> Body for TaskBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().held.project() {
            HeldProj::Inner { body } => body.poll_frame(cx),
            HeldProj::Message { bytes, trailers } => {
                let data = bytes.take().map(Frame::data);
                let frame = data.or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
            HeldProj::Stream { mut body, stream } => loop {
                if let Some(frame) = ready!(stream.poll_ready(cx)) {
                    return Poll::Ready(Some(Ok(frame)));
                }
                if stream.is_over {
                    return Poll::Ready(None);
                }
                match ready!(body.as_mut().poll_frame(cx)) {
                    Some(Ok(frame)) => stream.take(frame),
                    Some(Err(error)) => {
                        stream.break_off();
                        return Poll::Ready(Some(Err(error)));
                    }
                    None => stream.end(),
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.held {
            Held::Inner { body } => body.is_end_stream(),
            Held::Message { bytes, trailers } => bytes.is_none() && trailers.is_none(),
            Held::Stream { body, stream } => {
                stream.is_idle() && (stream.is_over || body.is_end_stream())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.held {
            Held::Inner { body } => body.size_hint(),
            Held::Message { bytes, .. } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
            Held::Stream { .. } => SizeHint::default(),
        }
    }
}

impl Stream {
    fn is_idle(&self) -> bool {
        self.events.is_empty()
            && self.judging.is_none()
            && self.out.is_empty()
            && self.trailers.is_empty()
    }

    fn take(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            // Trailers are the last that HTTP knows: what followed them would be no part of what came before.
            Ok(_) if self.is_closed => {}
            Ok(data) => self.events.push(data),
            Err(frame) => {
                self.close();
                self.trailers.extend(frame.into_trailers());
            }
        }
    }

    /// The next frame that may leave; `None` if more has to come in.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        loop {
            if let Some((mut judging, event)) = self.judging.take() {
                let Poll::Ready(fate) = judging.poll(cx) else {
                    self.judging = Some((judging, event));
                    // What does not wait for a store was judged already.
                    return match self.out.is_empty() {
                        true => Poll::Pending,
                        false => Poll::Ready(Some(Frame::data(self.out.take()))),
                    };
                };
                self.settle(fate, event);
                continue;
            }
            match self.events.next() {
                Some(piece) => self.judge(piece),
                None => break,
            }
        }
        if !self.out.is_empty() {
            return Poll::Ready(Some(Frame::data(self.out.take())));
        }
        Poll::Ready(self.trailers.pop_front().map(Frame::trailers))
    }

    fn judge(&mut self, piece: Piece) {
        match piece {
            Piece::Event(event) => {
                if self.watch.reads != Reads::List && !message::names_a_task(event.bytes()) {
                    return self.pass(event.into_bytes());
                }
                let judging = self.watch.judge(&event::data(&event));
                self.judging = Some((judging, event));
            }
            Piece::Part(part) => self.long(part),
            // They say nothing.
            Piece::Comment(bytes) | Piece::Feed(bytes) => self.pass(bytes),
        }
    }

    /// A part of an event that nobody reads as a whole. No task is learned from it, so that none
    /// opens. If it may be a list, it goes no further than to where it names a task.
    fn long(&mut self, part: Part) {
        if part.is_first {
            self.is_dropping = false;
            self.seam.clear();
        }
        if self.is_dropping {
            return;
        }
        let drops = match self.watch.reads {
            reads if reads.passes_long() => false,
            Reads::List => true,
            _ => self.seam.any(&part.bytes, message::names_a_task),
        };
        if !drops {
            return self.pass(part.bytes);
        }
        self.is_dropping = true;
        let denial = super::answer::unreadable();
        self.watch.refuse(&denial);
        if self.watch.reads == Reads::List {
            let error = self.error(&denial, b"");
            self.out.push(event::saying(&error, None));
        } else if !part.is_first {
            // What left of it already must not become a part of the next.
            self.out.push(Bytes::from_static(b"\n\n"));
        }
    }

    fn settle(&mut self, fate: Fate, event: Event) {
        match fate {
            Fate::Pass => self.pass(event.into_bytes()),
            Fate::Replace(message) => {
                self.out.push(event::saying(&message, Some(&event)));
            }
            Fate::Refuse(denial) => {
                self.watch.refuse(&denial);
                let error = self.error(&denial, &event::data(&event));
                self.out.push(event::saying(&error, Some(&event)));
            }
        }
    }

    fn pass(&mut self, bytes: Bytes) {
        self.out.push(bytes);
    }

    /// A JSON-RPC error in the place of an answer.
    fn error(&self, denial: &Denial, answer: &[u8]) -> Vec<u8> {
        let mut error = json!({
            "jsonrpc": "2.0",
            "error": {"code": denial.kind().rpc_code(), "message": denial.message()},
        });
        let asked = self.watch.context.call().and_then(|call| call.id());
        let id = message::id(answer);
        let id = id.as_ref().map(|id| id.get()).or(asked);
        if let Some(id) = id.and_then(|id| serde_json::from_str::<serde_json::Value>(id).ok())
            && let Some(error) = error.as_object_mut()
        {
            error.insert("id".into(), id);
        }
        error.to_string().into_bytes()
    }

    fn end(&mut self) {
        self.is_over = true;
        self.close();
    }

    /// No more data comes. Of an event that never ends, lets go what may leave.
    fn close(&mut self) {
        self.is_closed = true;
        let rest = self.events.rest();
        // Readers drop it; one that does not would read a list.
        if self.watch.reads.passes_long() && !self.is_dropping && !rest.is_empty() {
            self.pass(rest);
        }
    }

    fn break_off(&mut self) {
        self.is_over = true;
        self.events.rest();
        self.trailers.clear();
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}
