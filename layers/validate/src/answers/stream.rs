use std::borrow::Cow;

use bartizan_core::{
    Gathered, ResponseBody, refuse,
    sse::{EventReader, Piece},
};
use bytes::Bytes;
use http::Response;

use super::{Lens, look::TOO_LARGE};

/// Reads an event stream, and hands on event by event what may pass.
///
/// An event is held until its end; comments between events are not. What stands after the last event's end is no event, and goes
/// nowhere.
#[derive(Debug)]
pub(crate) struct Stream {
    lens: Box<Lens>,
    reader: EventReader,
}

impl Stream {
    pub(crate) fn new(lens: Box<Lens>) -> Self {
        Self {
            reader: EventReader::new(lens.most()),
            lens,
        }
    }

    /// Takes more of the stream, and writes what of it may pass. Tells whether more may follow: the error that stands for what may
    /// not pass is the last event.
    pub(crate) fn take(&mut self, frame: Bytes, out: &mut Gathered) -> bool {
        self.reader.push(frame);
        while let Some(piece) = self.reader.next() {
            match self.pass(piece) {
                Ok(bytes) => out.push(bytes),
                Err(why) => {
                    self.refuse(&why, out);
                    return false;
                }
            }
        }
        true
    }

    fn pass(&mut self, piece: Piece) -> Result<Bytes, Cow<'static, str>> {
        match piece {
            Piece::Event(event) => {
                let data = event.data().unwrap_or_default();
                if !data.trim_ascii().is_empty() {
                    self.lens.judge(&data)?;
                }
                Ok(event.into_bytes())
            }
            // Nothing of it has passed.
            Piece::Part(_) => Err(TOO_LARGE.into()),
            Piece::Comment(bytes) | Piece::Feed(bytes) => Ok(bytes),
        }
    }

    fn refuse(&self, why: &str, out: &mut Gathered) {
        let (denial, text) = self.lens.denial(why);
        let _: Response<ResponseBody<String>> = refuse!("validate", self.lens.context(), denial);
        out.push("data: ".into());
        out.push(text.into());
        out.push("\n\n".into());
    }
}
