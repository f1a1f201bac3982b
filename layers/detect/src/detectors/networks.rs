use bartizan_audit::{Adding, Record};

use super::{Detectors, shortened};
use crate::{
    Detector,
    credential::Refused,
    network::Network,
    origin::{Origin, OriginWindows},
    seen::{Seen, refused_key},
    telling::{Measured, Telling},
};

impl Detectors {
    pub(super) fn look_at_network(
        &mut self,
        seen: &Seen,
        network: Network,
        record: Option<&Record<'_>>,
        adding: &mut Adding<'_>,
    ) {
        let now = self.time.now();
        let subject = network.hash(&self.key);
        let set = &self.settings;
        let (stuffing, keys, tools) =
            (set.stuffing.millis(), set.keys.millis(), set.tools.millis());
        let windows = OriginWindows([stuffing, keys, tools]);
        let mut telling = Telling {
            record,
            adding,
            closings: &mut self.closings,
            now,
        };
        let weight = |origin: &Origin| windows.weight(origin, now);
        let Some(origin) = self.origins.of(subject, now, weight) else {
            return;
        };
        let about = || format!("network {network}");
        if let Some(account) = seen.account {
            origin.accounts.add(account, now, stuffing);
        }
        if let Some(refused) = seen
            .refused
            .filter(|_| set.is_on(Detector::CredentialStuffing))
            && let Some(value) = origin.refused.add(refused, now, stuffing)
        {
            let accounts = origin.accounts.live(now, stuffing);
            let measured = Measured {
                detector: Detector::CredentialStuffing,
                subject,
                value,
                least: set.stuffing.count.max(accounts.saturating_mul(2) + 1),
                window: stuffing,
                baseline: || format!(", {accounts} accounts identified there"),
                about,
            };
            telling.measure(&mut origin.refused.span, measured);
        }
        if let Some(key) = seen
            .refused_key
            .filter(|_| set.is_on(Detector::KeyEnumeration))
            && let Some(value) = origin.keys.add(key, now, keys)
        {
            let what = (Detector::KeyEnumeration, subject);
            let measured = Measured::within(set.keys, what, value, about);
            telling.measure(&mut origin.keys.span, measured);
        }
        if let Some(tool) = seen
            .vain_tool
            .filter(|_| seen.account.is_none() && set.is_on(Detector::UnknownTools))
            && let Some(value) = origin.tools.add(tool, now, tools)
        {
            let what = (Detector::UnknownTools, subject);
            let measured = Measured::within(set.tools, what, value, about);
            telling.measure(&mut origin.tools.span, measured);
        }
        // Of a key the id counts, whatever secret goes with it.
        let credential = seen.refused_key.or(seen.refused);
        if let Some(credential) = credential.filter(|_| set.is_on(Detector::CredentialSpray)) {
            let window = set.spray.millis();
            let weight = |refused: &Refused| refused.networks.live(now, window);
            if let Some(refused) = self.refused.of(credential, now, weight)
                && let Some(value) = refused.networks.add(subject, now, window)
            {
                let about = || match record.and_then(refused_key) {
                    Some(key) => shortened(key),
                    None => "a credential that is refused".to_owned(),
                };
                let what = (Detector::CredentialSpray, credential);
                let measured = Measured::within(set.spray, what, value, about);
                telling.measure(&mut refused.networks.span, measured);
            }
        }
    }
}
