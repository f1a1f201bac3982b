use bartizan_audit::{Adding, Record};

use super::{Detectors, rates::look_at_rate, shown};
use crate::{
    Detector,
    account::{Account, AccountWindows},
    seen::Seen,
    telling::{Measured, Telling},
};

impl Detectors {
    pub(super) fn look_at_account(
        &mut self,
        subject: u64,
        seen: &Seen,
        record: Option<&Record<'_>>,
        adding: &mut Adding<'_>,
    ) {
        let now = self.time.now();
        let set = &self.settings;
        let (denials, attempts) = (set.denials.millis(), set.escalation.millis());
        let tools = set.tools.millis();
        let windows = AccountWindows([denials, attempts, tools]);
        let mut telling = Telling {
            record,
            adding,
            closings: &mut self.closings,
            now,
        };
        let weight = |account: &Account| windows.weight(account, now);
        let Some(account) = self.accounts.of(subject, now, weight) else {
            return;
        };
        let about = || match record.and_then(|record| record.user_id) {
            Some(user) => format!("user {}", shown(user)),
            None => "a user".to_owned(),
        };
        if seen.is_escalation && set.is_on(Detector::Escalation) {
            let value = account.attempts.add(now, attempts);
            let what = (Detector::Escalation, subject);
            let measured = Measured::within(set.escalation, what, value, about);
            telling.measure(&mut account.attempts.span, measured);
        }
        if seen.is_denied && set.is_on(Detector::RepeatedDenials) {
            let value = account.denials.add(now, denials);
            let what = (Detector::RepeatedDenials, subject);
            let measured = Measured::within(set.denials, what, value, about);
            telling.measure(&mut account.denials.span, measured);
        }
        if let Some(tool) = seen.vain_tool.filter(|_| set.is_on(Detector::UnknownTools))
            && let Some(value) = account.tools.add(tool, now, tools)
        {
            let what = (Detector::UnknownTools, subject);
            let measured = Measured::within(set.tools, what, value, about);
            telling.measure(&mut account.tools.span, measured);
        }
        if let Some(tool) = seen
            .destroyed_by
            .filter(|_| set.is_on(Detector::FirstDestructiveUse))
            && account.destructive.is_first(tool)
        {
            let name = record.and_then(|record| record.tool_name).map(shown);
            let name = name.unwrap_or_default();
            let baseline = "not called since this process began, as far as it remembers";
            telling.tell(Detector::FirstDestructiveUse, &name, baseline, &about());
        }
        if seen.is_request && set.is_on(Detector::Rate) {
            look_at_rate(
                &mut account.rate,
                &set.rate,
                (Detector::Rate, subject),
                &mut telling,
                about,
            );
        }
    }
}
