use std::{array, slice, sync::Arc};

use bartizan_sensitive::Redactor;

use super::{
    Decision, Harmless, Json, Metadata, Names, Record, Screened, Text,
    carried::{CarriedFindings, PackedFinding, ShownFindings},
    findings::Findings,
    names::{MOST_ACTORS, MOST_ROLES, MOST_RULES, MOST_SCOPES},
    packed::{Listed, Packed, Piece, Rare, Texts, Usual, Who, Word},
    parcel::Parcel,
};

/// A parcel's records, one by one.
#[derive(Debug)]
pub(crate) struct Unpacking<'p> {
    records: slice::Iter<'p, Packed>,
    usual: slice::Iter<'p, Usual>,
    who: slice::Iter<'p, Who>,
    rare: slice::Iter<'p, Rare>,
    findings: &'p [PackedFinding],
    stream: Stream<'p>,
    redactors: &'p [Arc<Redactor>],
    harmless: &'p mut Harmless,
    last_usual: Option<&'p Usual>,
    last_who: Somebody<'p>,
    last_findings: &'p [PackedFinding],
    shown_findings: ShownFindings<'p>,
}

/// The texts that were carried, one behind the other.
#[derive(Debug)]
struct Stream<'p> {
    pieces: slice::Iter<'p, Piece>,
    text: &'p str,
}

/// Of whom a record is.
#[derive(Debug)]
struct Somebody<'p> {
    texts: [Option<Text<'p>>; 6],
    roles: List<'p, MOST_ROLES>,
    scopes: List<'p, MOST_SCOPES>,
    actors: List<'p, MOST_ACTORS>,
}

/// A list of names.
#[derive(Debug)]
struct List<'p, const MOST: usize> {
    listed: Listed,
    names: [Text<'p>; MOST],
}

const NOTHING: Text<'static> = Text::new("", 0);

impl<'p> Unpacking<'p> {
    pub(super) fn of(parcel: &'p Parcel, harmless: &'p mut Harmless) -> Self {
        Self {
            records: parcel.records.iter(),
            usual: parcel.usual.iter(),
            who: parcel.who.iter(),
            rare: parcel.rare.iter(),
            findings: &parcel.findings,
            stream: Stream {
                pieces: parcel.pieces.iter(),
                text: &parcel.text,
            },
            redactors: &parcel.redactors,
            harmless,
            last_usual: None,
            last_who: Somebody::nobody(),
            last_findings: &[],
            shown_findings: ShownFindings::default(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.records.len() == 0
    }

    /// Hands the next record over, which gets this place; `None` if there is none.
    pub(crate) fn next<R>(
        &mut self,
        sequence: u64,
        take_it: impl FnOnce(&Record<'_>) -> R,
    ) -> Option<R> {
        let packed = self.records.next()?;
        if !packed.has_same_usual {
            self.last_usual = self.usual.next();
        }
        let usual = self.last_usual?;
        if !packed.has_same_who {
            self.last_who = self.stream.next_somebody(self.who.next()?);
        }
        let Somebody {
            texts:
                [
                    user_id,
                    auth_method,
                    issuer,
                    client_id,
                    tenant,
                    credential_id,
                ],
            roles,
            scopes,
            actors,
        } = &self.last_who;
        let [
            tool_name,
            resource_id,
            action,
            user_agent,
            correlation_id,
            rpc_id,
            prompt,
            task,
            http_method,
            http_path,
            detail,
            policy,
            arguments,
            response,
            masked,
        ] = self.stream.next_texts(usual.texts);
        let rules: List<'_, MOST_RULES> = {
            let rules = usual.decision.and_then(|decision| decision.rules);
            self.stream.next_names(rules)
        };
        let decision = usual.decision.map(|decision| Decision {
            outcome: decision.outcome.0,
            policy: policy.unwrap_or(NOTHING),
            baseline: decision.baseline.map(|Word(name)| name),
            rules: rules.names(),
            operations: decision.operations,
            is_unclear: decision.is_unclear,
            is_granted: decision.is_granted,
            is_limited: decision.is_limited,
        });
        if !packed.has_same_findings {
            let split = self.findings.split_at_checked(usual.findings);
            (self.last_findings, self.findings) = split.unwrap_or_default();
        }
        let findings = self.stream.next_findings(self.last_findings);
        let findings = self.shown_findings.again(findings);
        let rare = if packed.is_rare {
            self.rare.next()
        } else {
            None
        };
        let word = |Word(word)| word;
        let json = |text: Text<'p>| Json::new(text.raw());
        let record = Record {
            event_id: packed.event_id,
            sequence: Some(sequence),
            timestamp: packed.timestamp,
            event_type: usual.event_type.0,
            severity: usual.severity,
            classes: usual.classes,
            user_id: *user_id,
            user_role: roles.names(),
            tool_name,
            resource_id,
            action,
            result: usual.result.0,
            ip_address: packed.ip_address,
            user_agent,
            correlation_id,
            metadata: Metadata {
                denial: usual.denial,
                principal_kind: usual.principal_kind.map(word),
                scopes: scopes.names(),
                delegation: actors.names(),
                call_kind: usual.call_kind.map(word),
                auth_method: *auth_method,
                issuer: *issuer,
                client_id: *client_id,
                tenant: *tenant,
                credential_id: *credential_id,
                rpc_id,
                prompt,
                task,
                protocol_version: usual.protocol_version,
                http_method,
                http_path,
                decision,
                arguments: arguments.map(json),
                response: response.map(json),
                masked: masked.map(json),
                result_type: usual.result_type.map(word),
                intent: rare.and_then(|rare| rare.intent),
                layer: rare.and_then(|rare| rare.layer),
                detail,
                found: None,
                missing: rare.and_then(|rare| rare.missing),
            },
            outcome: usual.outcome,
            status: usual.status,
            answer: usual.answer,
            latency: packed.latency,
            duration: packed.duration,
            request_bytes: packed.request_bytes,
            response_bytes: packed.response_bytes,
            trace: rare.and_then(|rare| rare.trace),
            findings: Findings::carried(findings),
            findings_dropped: usual.findings_dropped,
            identities: rare.and_then(|rare| rare.identities),
            refused_credential: packed.refused_credential,
            principal: None,
        };
        let redactor = usual.redactor.and_then(|place| self.redactors.get(place));
        let screened = redactor.and_then(|redactor| {
            let mask_text = |text: &str| self.harmless.mask_text(redactor, text);
            Screened::by(&record, mask_text, &[])
        });
        Some(match &screened {
            Some(screened) => take_it(&screened.applied(&record)),
            None => take_it(&record),
        })
    }
}

impl<'p> Stream<'p> {
    fn next_somebody(&mut self, who: &Who) -> Somebody<'p> {
        Somebody {
            texts: self.next_texts(who.texts),
            roles: self.next_names(who.roles),
            scopes: self.next_names(who.scopes),
            actors: self.next_names(who.actors),
        }
    }

    fn next_texts<const N: usize>(&mut self, there: Texts) -> [Option<Text<'p>>; N] {
        array::from_fn(|place| {
            let is_there = there >> place & 1 == 1;
            if is_there { self.next_text() } else { None }
        })
    }

    fn next_names<const MOST: usize>(&mut self, listed: Listed) -> List<'p, MOST> {
        let mut names = [NOTHING; MOST];
        let named = listed.map_or(0, |(named, _)| named.into());
        for name in names.iter_mut().take(named) {
            *name = self.next_text().unwrap_or(*name);
        }
        List { listed, names }
    }

    fn next_text(&mut self) -> Option<Text<'p>> {
        let piece = self.pieces.next()?;
        let text = take(&mut self.text, piece.len.into());
        Some(Text::carried(text, piece.limit.into(), piece.is_cut))
    }

    fn next_findings(&mut self, findings: &'p [PackedFinding]) -> CarriedFindings<'p> {
        let carried = findings.iter().filter(|it| it.is_carried()).count();
        let split = self.pieces.as_slice().split_at_checked(carried);
        let (lengths, pieces) = split.unwrap_or_default();
        self.pieces = pieces.iter();
        let bytes = lengths.iter().map(|piece| usize::from(piece.len)).sum();
        CarriedFindings {
            findings,
            lengths,
            reasons: take(&mut self.text, bytes),
            json: "",
        }
    }
}

impl Somebody<'_> {
    const fn nobody() -> Self {
        Self {
            texts: [None; 6],
            roles: List::nobodys(),
            scopes: List::nobodys(),
            actors: List::nobodys(),
        }
    }
}

impl<'p, const MOST: usize> List<'p, MOST> {
    const fn nobodys() -> Self {
        Self {
            listed: None,
            names: [NOTHING; MOST],
        }
    }

    fn names(&self) -> Names<'_> {
        let Some((named, more)) = self.listed else {
            return Names::nobodys();
        };
        let named = usize::from(named).min(MOST);
        Names::carried(self.names.get(..named).unwrap_or_default(), more)
    }
}

/// Takes so many bytes off the front.
pub(super) fn take<'p>(text: &mut &'p str, len: usize) -> &'p str {
    let (taken, rest) = text.split_at_checked(len).unwrap_or_default();
    *text = rest;
    taken
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bartizan_core::{Decided, Finding, Principal, SecurityContext, Verdict};
    use proptest::prelude::*;

    use super::*;
    use crate::record::Unredacted;

    fn of(principal: &Principal) -> SecurityContext {
        let context = SecurityContext::default();
        context.set_principal(principal.clone()).unwrap();
        context
    }

    fn contexts() -> Vec<SecurityContext> {
        let user = |name| Principal::user("https://auth.example.com", name);
        let ann = user("ann").roles(["developer", "admin"]).build("jwt");
        let also_ann = user("ann").roles(["developer"]).client_id("app");
        let bob = user("bob").scopes(["a", "b"]).actors(["agent"]);
        let bob = bob.tenant("acme").credential_id("k1").build("jwt");
        let decided = of(&bob);
        let mut decision = Decided::by("7".into());
        decision.rule(&"tool:read_*".into());
        decision.outcome("admitted");
        decided.set_decided(decision);
        vec![
            of(&ann),
            of(&ann),
            of(&also_ann.build("jwt")),
            of(&bob),
            decided,
            of(&Principal::anonymous()),
            of(&user("carol@example.com")
                .tenant("sk_live_4eC39HqLyjWDarjtT1zdp7dc")
                .build("jwt")),
            SecurityContext::default(),
        ]
    }

    proptest! {
        #[test]
        fn whatever_stands_once_each_record_comes_out_as_it_was(
            all in prop::collection::vec((0..8_usize, 0..4_usize, any::<bool>(), any::<bool>()), 0..20),
        ) {
            let contexts = contexts();
            let findings = [
                Finding::new("cors", Verdict::Noted, "a", "static"),
                Finding::new("rbac", Verdict::Refused, "forbidden", "own".to_owned()),
                Finding::new("rbac", Verdict::Refused, "forbidden", "another".to_owned()),
                Finding::new("cors", Verdict::Noted, "a", "of ann@example.com".to_owned()),
            ];
            let redactor = Arc::new(Redactor::new());
            let (mut parcel, mut lines) = (Parcel::default(), Vec::new());
            for (sequence, (who, finding, is_redacted, is_changed)) in (1..).zip(all) {
                let now = Duration::from_secs(sequence);
                let mut record = Record::late(now, &contexts[who], &findings[finding]);
                // As a sink between may do, where it gets a record that can be read.
                if is_redacted && is_changed {
                    record.user_id = Some(Text::new("somebody", 80));
                }
                record.sequence = Some(sequence);
                let unredacted = Unredacted::of(&record, &redactor).unwrap();
                if is_redacted {
                    parcel.pack(&record);
                    lines.push(record.to_json());
                } else {
                    parcel.pack_unredacted(&unredacted);
                    lines.push(unredacted.redacted().to_json());
                }
            }
            // What was harmless in one batch is in another.
            let mut harmless = Harmless::default();
            for _ in 0..2 {
                let mut unpacking = parcel.unpack(&mut harmless);
                for (sequence, line) in (1..).zip(&lines) {
                    let told = unpacking.next(sequence, |record| record.to_json());
                    prop_assert_eq!(told.as_ref(), Some(line));
                }
                prop_assert!(unpacking.is_over());
            }
        }
    }

    #[test]
    fn who_calls_again_and_again_stands_in_the_parcel_once() {
        let contexts = contexts();
        let finding = Finding::new("cors", Verdict::Noted, "a", "static");
        let redactor = Arc::new(Redactor::new());
        let mut parcel = Parcel::default();
        for (who, stand) in [(0, 1), (1, 1), (2, 2), (0, 3), (1, 3), (3, 4), (4, 4)] {
            let record = Record::late(Duration::ZERO, &contexts[who], &finding);
            parcel.pack_unredacted(&Unredacted::of(&record, &redactor).unwrap());
            assert_eq!(parcel.who.len(), stand, "{who}");
        }
        assert_eq!(parcel.usual.len(), 2);
    }
}
