use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use bartizan_core::{Event, Principal, Severity, printable};

use super::{
    GivenGrant, Giver, Grant, GrantError, GrantId, GrantsBuilder,
    held::{Held, is_service},
};
use crate::moment::{Moment, Now};

/// Roles that principals have for a time, besides those of their credentials.
///
/// A handle: clones share the grants. They are in this process's memory, and a restart ends them all.
/// A layer counts them if it was told to: [`RbacLayer::grants`](crate::RbacLayer::grants). Whoever holds
/// the handle gives what it likes, so guard what calls it.
///
/// ```
/// use std::time::Duration;
/// use bartizan_rbac::{Grant, Grants};
/// let grants = Grants::new();
/// let hour = Grant::to("https://auth.example.com", "ann").roles(["oncall"]).by("the incident desk");
/// let id = grants.give(hour.clone().lasting(Duration::from_secs(3600)))?;
/// assert!(grants.give(hour.lasting(Duration::from_secs(86_400))).is_err(), "8 hours at most");
/// assert!(grants.revoke(&id, "the incident desk"));
/// assert!(grants.list().is_empty());
/// # Ok::<(), bartizan_rbac::GrantError>(())
/// ```
#[derive(Clone)]
pub struct Grants(Arc<Shared>);

struct Shared {
    settings: GrantsBuilder,
    current: ArcSwap<Table>,
    /// Held while the table is exchanged.
    change: Mutex<()>,
}

struct Table {
    /// In the order of whom they are to.
    held: Vec<Arc<Held>>,
    first_end: Moment,
}

/// Of one account, so that no decision looks through many.
const MOST_OF_ONE: usize = 16;

impl Grants {
    /// No grants yet: for at most 8 hours each, and at most 1,024 at a time.
    pub fn new() -> Self {
        Self::of(GrantsBuilder::default())
    }

    /// Grants within other bounds.
    pub fn builder() -> GrantsBuilder {
        GrantsBuilder::default()
    }

    pub(super) fn of(settings: GrantsBuilder) -> Self {
        Self(Arc::new(Shared {
            settings,
            current: ArcSwap::from_pointee(Table::of(Vec::new())),
            change: Mutex::default(),
        }))
    }

    /// Gives it, from the next decision on.
    ///
    /// It ends exactly at its end by the wall clock, and no later than that is by the monotonic clock: a
    /// wall clock that is set back prolongs nothing, and one that is set forward shortens.
    ///
    /// # Errors
    ///
    /// [`GrantError`] says why nothing was given.
    pub fn give(&self, grant: Grant) -> Result<GrantId, GrantError> {
        let by = grant.check()?;
        let id = GrantId::random().ok_or(GrantError::NoRandomness)?;
        let alone = self.alone();
        let now = self.clock_now();
        let held = Arc::new(Held::new(id, grant, by, self.0.settings.at_most, &now)?);
        let (mut table, ended) = self.without(&now, |_| false);
        let GivenGrant {
            issuer,
            subject,
            is_service,
            ..
        } = &held.grant;
        let order = |other: &Arc<Held>| other.order(issuer, subject, *is_service);
        let place = table.partition_point(|other| order(other).is_lt());
        let of_one = table.iter().filter(|other| order(other).is_eq()).count();
        let fits = table.len() < self.0.settings.room && of_one < MOST_OF_ONE;
        if fits {
            table.insert(place, Arc::clone(&held));
        }
        self.put(table);
        drop(alone);
        self.tell_of_ended(&ended);
        if !fits {
            return Err(GrantError::Full);
        }
        self.emit("grant_given", format!("{}, {}", held.grant, of(&held)));
        Ok(id)
    }

    /// Takes one back, from the next decision on; whether there was one.
    pub fn revoke(&self, id: &GrantId, by: impl Into<Giver>) -> bool {
        let alone = self.alone();
        let mut revoked = None;
        let (table, ended) = self.without(&self.clock_now(), |held| {
            let is_it = held.grant.id == *id;
            if is_it {
                revoked = Some(Arc::clone(held));
            }
            is_it
        });
        self.put(table);
        drop(alone);
        self.tell_of_ended(&ended);
        if let Some(held) = &revoked {
            let by = by.into();
            let by = printable(&by.shown, 100);
            let detail = format!("{}, {}, revoked by `{by}`", held.grant, of(held));
            self.emit("grant_revoked", detail);
        }
        revoked.is_some()
    }

    /// Those that are not over, in the order of whom they are to; also those that have not begun.
    pub fn list(&self) -> Vec<GivenGrant> {
        let now = self.clock_now();
        self.sweep(&now);
        let table = self.0.current.load();
        let held = table.held.iter().filter(|held| !held.is_over(&now));
        held.map(|held| held.grant.clone()).collect()
    }

    /// The time since the Unix epoch, by the clock that ends them.
    pub fn now(&self) -> Duration {
        self.clock_now().wall
    }

    /// Shows each that counts for the principal now; whether there is one.
    pub(crate) fn each_of(&self, principal: &Principal, mut found: impl FnMut(&Held)) -> bool {
        let table = self.0.current.load();
        if table.held.is_empty() {
            return false;
        }
        let now = self.clock_now();
        if table.first_end.has_come(&now) {
            self.sweep(&now);
        }
        let Some(is_service) = is_service(principal.kind()) else {
            return false;
        };
        let (issuer, subject) = (principal.issuer(), principal.subject());
        let order = |held: &Arc<Held>| held.order(issuer, subject, is_service);
        let start = table.held.partition_point(|held| order(held).is_lt());
        let mut any = false;
        for held in table
            .held
            .iter()
            .skip(start)
            .take_while(|held| order(held).is_eq())
        {
            if held.counts(principal, &now) {
                any = true;
                found(held);
            }
        }
        any
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Drops what is over, and tells. Nobody waits for it: whoever changes the table does the same.
    fn sweep(&self, now: &Now) {
        let alone = self.0.change.try_lock();
        // It guards nothing that a panic could leave half done.
        let alone = match alone {
            Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => return,
            Ok(alone) => alone,
        };
        let (table, ended) = self.without(now, |_| false);
        if !ended.is_empty() {
            self.put(table);
        }
        drop(alone);
        self.tell_of_ended(&ended);
    }

    /// What stays if these go, and what is over.
    fn without(
        &self,
        now: &Now,
        mut goes: impl FnMut(&Arc<Held>) -> bool,
    ) -> (Vec<Arc<Held>>, Vec<Arc<Held>>) {
        let table = self.0.current.load();
        let (ended, mut stays): (Vec<_>, Vec<_>) = table
            .held
            .iter()
            .cloned()
            .partition(|held| held.is_over(now));
        stays.retain(|held| !goes(held));
        (stays, ended)
    }

    fn put(&self, held: Vec<Arc<Held>>) {
        self.0.current.store(Arc::new(Table::of(held)));
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.0.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clock_now(&self) -> Now {
        Now::of(&*self.0.settings.clock)
    }

    fn tell_of_ended(&self, ended: &[Arc<Held>]) {
        for held in ended {
            self.emit("grant_ended", format!("{}, {}", held.grant, of(held)));
        }
    }

    /// Whoever hears of it may ask for the grants itself: no lock is held.
    fn emit(&self, kind: &'static str, detail: String) {
        let event = Event::new("rbac", Severity::Info, kind, detail);
        self.0.settings.events.emit(&event);
    }
}

impl Table {
    fn of(held: Vec<Arc<Held>>) -> Self {
        let ends = held.iter().map(|held| held.ends);
        Self {
            first_end: ends.fold(Moment::NEVER, Moment::earlier),
            held,
        }
    }
}

/// What it is of, for an event.
fn of(held: &Held) -> String {
    let grant = &held.grant;
    let roles = grant.roles.join("`, `");
    format!(
        "of roles `{}` to `{}` of `{}` until {}",
        printable(&roles, 400),
        printable(&grant.subject, 200),
        printable(&grant.issuer, 200),
        grant.until.as_secs(),
    )
}

impl Default for Grants {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grants")
            .field("held", &self.0.current.load().held.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Operation, Policy, PolicyHandle, RbacLayer, Rule};

    #[test]
    fn a_decision_by_a_grant_takes_nothing_from_the_heap() {
        let policy = Policy::builder()
            .role("oncall", ["reader"])
            .role("reader", []);
        let policy = policy.rule(Rule::tool("x").role("reader")).build().unwrap();
        let handle = PolicyHandle::new(policy);
        let grants = Grants::new();
        let _layer = RbacLayer::with_handle(handle.clone()).grants(grants.clone());
        for subject in ["ann", "bea", "cid"] {
            let grant = Grant::to("i", subject)
                .roles(["oncall", "unknown"])
                .by("desk");
            grants.give(grant.lasting(Duration::from_secs(60))).unwrap();
        }
        let in_force = handle.in_force();
        for (subject, expected) in [("bea", true), ("dan", false)] {
            let principal = Principal::user("i", subject).build("jwt");
            let mut is_admitted = false;
            let decide = || {
                let asker = in_force.asker(&principal);
                let decision =
                    in_force
                        .policy
                        .decide_by(Some(&asker), &Operation::tool("x"), |_| {});
                is_admitted = decision.is_admitted();
            };
            // What a thread keeps for all its looks is made at its first.
            in_force.asker(&principal);
            let counted = allocation_counter::measure(decide);
            assert_eq!(
                (is_admitted, counted.count_total),
                (expected, 0),
                "{subject}"
            );
        }
    }
}
