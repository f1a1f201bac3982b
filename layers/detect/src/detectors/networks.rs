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
        let (is_stuffing_on, is_keys_on, is_tools_on) = (
            self.is_on(Detector::CredentialStuffing),
            self.is_on(Detector::KeyEnumeration),
            self.is_on(Detector::UnknownTools),
        );
        let is_spray_on = self.is_on(Detector::CredentialSpray);
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
        if let Some(account) = seen.account {
            origin.accounts.add(account, now, stuffing);
        }
        if let Some(refused) = seen.refused.filter(|_| is_stuffing_on)
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
                about: || format!("network {network}"),
            };
            telling.measure(&mut origin.refused.span, measured);
        }
        if let Some(key) = seen.refused_key.filter(|_| is_keys_on)
            && let Some(value) = origin.keys.add(key, now, keys)
        {
            let measured = Measured {
                detector: Detector::KeyEnumeration,
                subject,
                value,
                least: set.keys.count,
                window: keys,
                baseline: String::new,
                about: || format!("network {network}"),
            };
            telling.measure(&mut origin.keys.span, measured);
        }
        if let Some(tool) = seen
            .vain_tool
            .filter(|_| is_tools_on && seen.account.is_none())
            && let Some(value) = origin.tools.add(tool, now, tools)
        {
            let measured = Measured {
                detector: Detector::UnknownTools,
                subject,
                value,
                least: set.tools.count,
                window: tools,
                baseline: String::new,
                about: || format!("network {network}"),
            };
            telling.measure(&mut origin.tools.span, measured);
        }
        // Of a key the id counts, whatever secret goes with it.
        if let Some(credential) = seen.refused_key.or(seen.refused).filter(|_| is_spray_on) {
            let window = set.spray.millis();
            let weight = |refused: &Refused| refused.networks.live(now, window);
            if let Some(refused) = self.refused.of(credential, now, weight)
                && let Some(value) = refused.networks.add(subject, now, window)
            {
                let measured = Measured {
                    detector: Detector::CredentialSpray,
                    subject: credential,
                    value,
                    least: set.spray.count,
                    window,
                    baseline: String::new,
                    about: || match record.and_then(refused_key) {
                        Some(key) => shortened(key),
                        None => "a credential that is refused".to_owned(),
                    },
                };
                telling.measure(&mut refused.networks.span, measured);
            }
        }
    }
}
