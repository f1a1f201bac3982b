use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use bartizan_core::{Call, Event, Principal, Severity, printable};

use super::{
    Answer, ApprovalId, ApprovalsBuilder,
    bound::{Bound, bound},
    table::{Crowded, Entry, State, Table},
};
use crate::{
    Operation, RbacConfigError,
    handle::{PolicyHandle, WeakHandle},
    in_force::InForce,
    moment::{Moment, Now},
};

/// Calls that wait for the approval of a second principal, and approvals that wait to be used.
///
/// A handle: clones share what waits. It is in this process's memory: a restart loses all of it, and each
/// node has its own, so that caller and approver have to reach the same one.
/// [The crate's documentation](crate#calls-that-need-approval) has an example.
#[derive(Clone)]
pub struct Approvals(Arc<Shared>);

struct Shared {
    settings: ApprovalsBuilder,
    table: Mutex<Table>,
    /// Whose policy says who may approve.
    handle: OnceLock<WeakHandle>,
}

/// By what a call was let pass.
#[derive(Debug, Clone)]
pub(crate) struct Approved {
    id: ApprovalId,
    by: String,
}

type Told = Vec<(&'static str, String)>;

impl Approvals {
    /// None yet: they wait for 10 minutes, and are good for 5 once they are given. At most 256 at a time, 8 of
    /// one account.
    pub fn new() -> Self {
        Self::of(ApprovalsBuilder::default())
    }

    /// Approvals within other bounds.
    pub fn builder() -> ApprovalsBuilder {
        ApprovalsBuilder::default()
    }

    pub(super) fn of(settings: ApprovalsBuilder) -> Self {
        Self(Arc::new(Shared {
            settings,
            table: Mutex::new(Table::new()),
            handle: OnceLock::new(),
        }))
    }

    /// # Errors
    ///
    /// If they belong to another handle: who approves what is one policy's to say.
    pub(crate) fn attach(&self, handle: &PolicyHandle) -> Result<(), RbacConfigError> {
        let attached = self.0.handle.get_or_init(|| handle.downgrade());
        if attached.is_of(handle) {
            return Ok(());
        }
        let problem = "belong to another policy handle";
        Err(RbacConfigError::new("setting", "approvals", problem))
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Uses up an approval of exactly this call, or asks for one.
    pub(crate) fn ask(
        &self,
        layer: u64,
        in_force: &InForce,
        principal: &Principal,
        call: &Call,
        operation: &Operation<'_>,
    ) -> Answer {
        if call.body().len() > self.0.settings.call_bytes {
            return Answer::TooLarge;
        }
        let Ok(bound) = bound(layer, principal, call) else {
            return Answer::Unreadable;
        };
        let now = self.now();
        let found = self.table(&now).get(&bound).cloned();
        if let Some(found) = found {
            let State::Approved { by } = &found.state else {
                return Answer::waiting(&found, &now);
            };
            // Asked again, since the policy may be another one by now.
            let is_good = self.may_decide(in_force, by, &found.principal, operation);
            // Whoever is first has it: the table is asked once more.
            let taken = self.table(&now).take(&bound, found.id);
            if taken.is_some() {
                let told = format!("{}, approved by `{}`", shown(&found), name_of(by));
                if is_good {
                    self.tell(vec![("approval_used", told)]);
                    return Answer::Approved(Approved {
                        id: found.id,
                        by: name_of(by),
                    });
                }
                let told = format!("{told}, who may not approve it any more");
                self.tell(vec![("approval_expired", told)]);
            }
        }
        self.put(bound, principal, call, &now)
    }

    fn put(&self, bound: Bound, principal: &Principal, call: &Call, now: &Now) -> Answer {
        let Some(id) = ApprovalId::random() else {
            return Answer::NoRandomness;
        };
        let settings = &self.0.settings;
        let entry = Entry {
            id,
            principal: principal.clone(),
            call: call.detached(),
            asked_at: now.wall,
            ends: Moment::after(settings.wait, now),
            state: State::Pending,
        };
        let mut table = self.table(now);
        // The same call may have come at the same time.
        if let Some(found) = table.get(&bound) {
            return Answer::waiting(found, now);
        }
        let bounds = (settings.room, settings.share);
        let answer = Answer::waiting(&entry, now);
        let told = format!("{} waits for approval", shown(&entry));
        let put = table.put(bound, entry, bounds, now);
        drop(table);
        match put {
            Ok(()) => {
                self.tell(vec![("approval_pending", told)]);
                answer
            }
            Err(Crowded::Share(wait)) => Answer::Crowded(wait),
            Err(Crowded::Room) => Answer::Crowded(Duration::from_secs(60)),
        }
    }

    /// Whether this principal may decide about a call of that one.
    pub(super) fn may_decide(
        &self,
        in_force: &InForce,
        approver: &Principal,
        of: &Principal,
        operation: &Operation<'_>,
    ) -> bool {
        let scope = self.0.settings.approver_scope.as_deref();
        let has_scope = scope.is_none_or(|scope| approver.scopes().any(|held| held == scope));
        has_scope
            && !is_same_person(approver, of)
            && approver.tenant() == of.tenant()
            && in_force.approves(approver, operation)
    }

    /// The policy in force; `None` if no layer has these approvals, or none is left.
    pub(super) fn in_force(&self) -> Option<Arc<InForce>> {
        Some(self.0.handle.get()?.upgrade()?.in_force())
    }

    pub(super) fn settings(&self) -> &ApprovalsBuilder {
        &self.0.settings
    }

    pub(super) fn now(&self) -> Now {
        Now::of(&*self.0.settings.clock)
    }

    /// What is in it and not over; tells what is. Not to be held while a policy is asked or somebody is told.
    pub(super) fn table(&self, now: &Now) -> MutexGuard<'_, Table> {
        let over = self.lock().sweep(now);
        let told = over.iter().map(|entry| {
            let state = match entry.state {
                State::Pending => "that nobody decided",
                State::Approved { .. } => "that nobody used",
                State::Denied => "that was denied",
            };
            ("approval_expired", format!("{} {state}", shown(entry)))
        });
        self.tell(told.collect());
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing in it is left half done by a panic.
        let table = self.0.table.lock();
        table.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, told: Told) {
        for (kind, detail) in told {
            let event = Event::new("rbac", Severity::Info, kind, detail);
            self.0.settings.events.emit(&event);
        }
    }
}

impl Approved {
    /// For a record.
    pub(crate) fn shown(&self) -> String {
        format!("; by approval `{}` of `{}`", self.id, self.by)
    }
}

/// A person with two clients, or with a program of the same name, is one pair of eyes.
pub(super) fn is_same_person(one: &Principal, other: &Principal) -> bool {
    one.issuer() == other.issuer() && one.subject() == other.subject()
}

/// Who it is, on one line and bounded.
pub(super) fn name_of(principal: &Principal) -> String {
    let (subject, issuer) = (principal.subject(), principal.issuer());
    format!("{} of {}", printable(subject, 200), printable(issuer, 200))
}

/// What it is about, for an event; arguments stay out of it.
pub(super) fn shown(entry: &Entry) -> String {
    let (id, who) = (entry.id, name_of(&entry.principal));
    let method = printable(entry.call.method(), 80);
    let name = entry.call.name().map(bartizan_core::uri_without_secrets);
    let name = name.unwrap_or_default();
    let name = printable(name, 200);
    format!("approval `{id}`: `{method}` of `{name}` by `{who}`")
}

impl Default for Approvals {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvals")
            .field("held", &self.lock().len())
            .finish_non_exhaustive()
    }
}
