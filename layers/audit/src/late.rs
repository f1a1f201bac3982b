use std::slice;

use bartizan_core::{Finding, LateFindings, SecurityContext, Verdict, guarded};

use crate::{Record, gaps::is_strangers, layer::Settings, level::Detail, record::denial_of};

/// A handler may refuse after the head of its answer, and with it the record, was written.
impl LateFindings for Settings {
    fn late(&self, context: &SecurityContext, finding: &Finding) {
        let room = self.reserve();
        // What room is left is for others here as well.
        let is_folded = is_strangers(context) && (!room || self.is_scarce());
        let is_told = room && is_folded && self.is_first_honey(slice::from_ref(finding));
        if is_folded && !is_told {
            let is_refusal = finding.verdict == Verdict::Refused;
            let denial = denial_of(finding).filter(|_| is_refusal);
            if room {
                self.fold(denial);
            } else {
                self.count(denial);
            }
        } else if room {
            let now = guarded(|| self.clock.wall()).unwrap_or_default();
            self.write(&mut Record::late(now, context, finding), &Detail::default());
        } else {
            self.miss(true);
        }
    }

    fn lost(&self) {
        self.miss(true);
    }
}
