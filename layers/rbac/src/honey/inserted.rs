use std::ops::Range;

use super::{Decoy, Honey};
use crate::asker::Asker;

/// The decoys that one principal is shown of a list of tools, while it is walked.
///
/// Where one stands depends on the server's whole list, and not on what of it a principal is shown: of what two are
/// shown, put together, none is out of its order.
pub(crate) struct Decoys<'a> {
    honey: &'a Honey,
    /// In the order of their names.
    shown: Vec<&'a Decoy>,
    /// Behind how many elements the first of those stand that are put in, as long as the list is sorted.
    places: Vec<usize>,
    /// The name of the element before.
    last: String,
    is_sorted: bool,
    /// Whether each element has a name.
    is_list: bool,
    /// The elements that are shown.
    elements: Vec<Range<usize>>,
    /// The first element of all, what stands between that and the second, and the end of the last one.
    first: Option<Range<usize>>,
    between: Option<Range<usize>>,
    end: usize,
}

impl<'a> Decoys<'a> {
    pub(crate) fn new(honey: &'a Honey, asker: &Asker<'_>) -> Self {
        Self {
            honey,
            shown: honey.shown(asker).collect(),
            places: Vec::new(),
            last: String::new(),
            is_sorted: true,
            is_list: true,
            elements: Vec::new(),
            first: None,
            between: None,
            end: 0,
        }
    }

    /// The next element has this name; whether it is shown, if it is a decoy.
    pub(crate) fn meet(&mut self, name: &str) -> Option<bool> {
        self.is_sorted &= *self.last <= *name;
        if self.is_sorted {
            self.last.clear();
            self.last.push_str(name);
            let before = self.put_in().skip(self.places.len());
            let before = before.take_while(|decoy| *decoy.name < *name).count();
            let place = self.elements.len();
            self.places.extend(std::iter::repeat_n(place, before));
        }
        let decoy = self.honey.of(name)?;
        let is_shown = self.shown.iter().any(|shown| std::ptr::eq(*shown, decoy));
        // One that has a definition of ours stands in its own place.
        Some(is_shown && decoy.definition.is_none())
    }

    /// The next element has no name.
    pub(crate) fn meet_nameless(&mut self) {
        self.is_list = false;
    }

    /// The element that was met stands there.
    pub(crate) fn pass(&mut self, element: Range<usize>, is_shown: bool) {
        match &self.first {
            None => self.first = Some(element.clone()),
            Some(first) if self.between.is_none() => self.between = Some(first.end..element.start),
            Some(_) => {}
        }
        self.end = element.end;
        if is_shown {
            self.elements.push(element);
        }
    }

    /// How many are put in.
    pub(crate) fn len(&self) -> usize {
        self.put_in().count()
    }

    fn put_in(&self) -> impl Iterator<Item = &'a Decoy> + use<'a, '_> {
        let shown = self.shown.iter().copied();
        shown.filter(|decoy| decoy.definition.is_some())
    }

    /// The list of a text, `[` to `]`, with what is shown of it and the decoys, in the same manner; `None` if there is
    /// nothing to put in. An `answer` is one to a request for such a list.
    pub(crate) fn list(&self, text: &str, list: Range<usize>, is_answer: bool) -> Option<String> {
        let is_list = is_answer || self.is_list && self.first.is_some();
        if !is_list || self.len() == 0 {
            return None;
        }
        let part = |range: Range<usize>| text.get(range).unwrap_or_default();
        let (inside, close) = (list.start + 1, list.end.saturating_sub(1));
        let (lead, tail) = match &self.first {
            Some(first) => (part(inside..first.start), part(self.end..close)),
            None => ("", ""),
        };
        let between = self.between.clone().map_or(",", part);
        let mut all: Vec<&str> = self.elements.iter().cloned().map(part).collect();
        let end = all.len();
        for (before, decoy) in self.put_in().enumerate() {
            let place = self.places.get(before).filter(|_| self.is_sorted);
            let definition = decoy.definition.as_deref().unwrap_or_default();
            all.insert(place.copied().unwrap_or(end) + before, definition);
        }
        Some(format!("[{lead}{}{tail}]", all.join(between)))
    }
}
