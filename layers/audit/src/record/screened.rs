use bartizan_core::Finding;
use bartizan_sensitive::{Kind, Masked, Redactor};

use super::{Findings, Identities, Json, Record, Text};

/// A record's texts that had something sensitive in them, without it.
///
/// Made before any sink can read the record, so that none can show what it should not.
#[derive(Debug, Default)]
pub(crate) struct Screened {
    texts: Vec<(usize, String, bool)>,
    findings: Option<Vec<Finding>>,
    masked: Vec<(String, Kind)>,
    /// What was masked, for `metadata.masked`.
    list: String,
}

/// What was masked in the members of a record that are JSON, by their names.
pub(crate) type Below<'m> = [(&'static str, Option<&'m Masked>)];

/// What is looked at beyond a text's limit, so that what is cut there is known.
pub(super) const AHEAD: usize = 256;

/// What is looked at of a reason.
pub(super) const LONGEST_REASON: usize = 1024;

/// The texts that a stranger may have chosen, and what they are called. An issuer is none: it is configured, and
/// `apikey:acme` only looks like a value behind its name.
fn texts<'r, 'a>(record: &'r mut Record<'a>) -> [(&'static str, &'r mut Option<Text<'a>>); 13] {
    let metadata = &mut record.metadata;
    [
        ("user_id", &mut record.user_id),
        ("tool_name", &mut record.tool_name),
        ("resource_id", &mut record.resource_id),
        ("action", &mut record.action),
        ("user_agent", &mut record.user_agent),
        ("client_id", &mut metadata.client_id),
        ("tenant", &mut metadata.tenant),
        ("credential_id", &mut metadata.credential_id),
        ("rpc_id", &mut metadata.rpc_id),
        ("prompt", &mut metadata.prompt),
        ("task", &mut metadata.task),
        ("http_path", &mut metadata.http_path),
        ("detail", &mut metadata.detail),
    ]
}

impl Screened {
    /// `None` if nothing in the record is sensitive, nor was anything below it.
    pub(crate) fn of(record: &Record<'_>, redactor: &Redactor, below: &Below<'_>) -> Option<Self> {
        Self::by(record, |text| redactor.mask_text(text), below)
    }

    /// The same by who masks a text, as [`Redactor::mask_text`] does it.
    pub(super) fn by(
        record: &Record<'_>,
        mut mask_text: impl FnMut(&str) -> Option<(String, Vec<Kind>)>,
        below: &Below<'_>,
    ) -> Option<Self> {
        let mut screened = Self::default();
        for (place, (name, text)) in texts(&mut record.clone()).into_iter().enumerate() {
            let Some(text) = text else { continue };
            let all = text.raw();
            let looked_at = beginning(all, text.limit() as usize + AHEAD);
            if let Some((masked, kinds)) = mask_text(looked_at) {
                let is_cut = text.is_cut_behind() || looked_at.len() < all.len();
                screened.texts.push((place, masked, is_cut));
                screened.note(name, kinds);
            }
        }
        for (place, reason) in record.findings.chosen() {
            if let Some((masked, kinds)) = mask_text(beginning(reason, LONGEST_REASON)) {
                let findings = screened
                    .findings
                    .get_or_insert_with(|| record.findings.to_owned());
                if let Some(finding) = findings.get_mut(place) {
                    finding.reason = masked.into();
                }
                screened.note(&format!("findings/{place}"), kinds);
            }
        }
        screened.list = list(&screened.masked, below)?;
        Some(screened)
    }

    fn note(&mut self, path: &str, kinds: Vec<Kind>) {
        let noted = kinds.into_iter().map(|kind| (path.to_owned(), kind));
        self.masked.extend(noted.take(Masked::MOST));
    }

    /// The record with masks in place of what was sensitive.
    pub(crate) fn applied<'s>(&'s self, record: &Record<'s>) -> Record<'s> {
        let identities = Identities::of(record);
        let mut record = *record;
        record.identities = Some(identities);
        let mut screened = self.texts.iter().peekable();
        for (place, (_, text)) in texts(&mut record).into_iter().enumerate() {
            let is_here = |(this, ..): &&(usize, String, bool)| *this == place;
            if let (Some(was), Some((_, masked, is_cut))) = (*text, screened.next_if(is_here)) {
                *text = Some(Text::carried(masked, was.limit(), *is_cut));
            }
        }
        if let Some(findings) = &self.findings {
            record.findings = Findings::of(findings);
        }
        record.metadata.masked = Some(Json::new(&self.list));
        record
    }
}

pub(super) fn beginning(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// The list of what was masked in a record: of its own texts, and below its members. `None` if nothing was.
fn list(own: &[(String, Kind)], below: &Below<'_>) -> Option<String> {
    let below = below
        .iter()
        .filter_map(|(name, masked)| Some((*name, (*masked)?)));
    let more: usize = below.clone().map(|(_, masked)| masked.more()).sum();
    let below = below.flat_map(|(name, masked)| {
        masked
            .iter()
            .map(move |mask| (name, &*mask.path, mask.kind))
    });
    let own = own.iter().map(|(path, kind)| ("", &**path, *kind));
    let mut all = own.chain(below).peekable();
    all.peek()?;
    let (mut list, mut named) = (String::from("["), 0);
    for (above, path, kind) in all.by_ref().take(Masked::MOST) {
        if named > 0 {
            list.push(',');
        }
        // Paths have nothing that JSON escapes.
        for part in [
            "{\"path\":\"",
            above,
            path,
            "\",\"kind\":\"",
            kind.name(),
            "\"}",
        ] {
            list.push_str(part);
        }
        named += 1;
    }
    let more = more + all.count();
    if more > 0 {
        list.push_str(&format!(",{{\"more\":{more}}}"));
    }
    list.push(']');
    Some(list)
}
