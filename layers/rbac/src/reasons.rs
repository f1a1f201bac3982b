use bartizan_core::printable;

use crate::{Operation, asker::Asker, needs::Needs};

/// Most rules, and most of what one lacks, that a reason names.
const MOST_NAMED: usize = 8;

/// Some reasons, and how many more there were.
pub(crate) struct Reasons {
    separator: &'static str,
    text: String,
    count: usize,
}

impl Reasons {
    pub(crate) fn after(start: &str, separator: &'static str) -> Self {
        // Room for a rule too: most decisions name one.
        let room = match start {
            "" => 0,
            _ => start.len() + 64,
        };
        let mut text = String::with_capacity(room);
        text.push_str(start);
        Self {
            separator,
            text,
            count: 0,
        }
    }

    pub(crate) fn add<R: AsRef<str>>(&mut self, reason: impl FnOnce() -> R) {
        if self.count < MOST_NAMED {
            if self.count > 0 {
                self.text.push_str(self.separator);
            }
            self.text.push_str(reason().as_ref());
        }
        self.count += 1;
    }

    pub(crate) fn text(mut self) -> String {
        let more = self.count.saturating_sub(MOST_NAMED);
        if more > 0 {
            self.text
                .push_str(&format!("{}{more} more", self.separator));
        }
        self.text
    }
}

/// What the asker lacks of what a rule needs, as the end of a sentence.
pub(crate) fn lack(needs: &Needs, asker: &Asker<'_>, operation: &Operation<'_>) -> Option<String> {
    let gaps = needs.gaps(asker, operation);
    let principal = asker.principal;
    if gaps.closed {
        return Some("denies".to_owned());
    }
    if gaps.somebody {
        return Some("needs somebody".to_owned());
    }
    let mut lacks = Reasons::after("", ", ");
    let lacking_role = needs.any_role.iter().filter(|any| !any.is_met_by(asker));
    for role in lacking_role {
        lacks.add(|| format!("role `{}`", printable(&role.name, 300)));
    }
    let capabilities = needs.capabilities.iter();
    for capability in capabilities.filter(|needed| !needed.is_held_by(asker)) {
        lacks.add(|| format!("capability `{}`", capability.name));
    }
    let scopes = needs.scopes.iter();
    for scope in scopes.filter(|scope| !scope.is_among(principal.scopes())) {
        lacks.add(|| format!("scope `{}`", printable(&scope.name, 128)));
    }
    for unmet in needs.conditions.unmet(asker, operation) {
        lacks.add(|| format!("that {}", unmet.shown));
    }
    if needs.approval.is_some() {
        lacks.add(|| "approval");
    }
    let lacks = lacks.text();
    (!lacks.is_empty()).then(|| format!("lacks {lacks}"))
}
