use std::{borrow::Cow, cell::OnceCell, net::IpAddr};

use bartizan_core::{
    Call, CallKind, CallRate, CredentialLimits, Principal, SecurityContext, call::Subject,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    Asking,
    asked::{MOST_OF_CREDENTIAL, Place},
    by::{Part, Prefixes},
    keys::{KeyMaker, Owner, Sort},
    methods::counted_as,
    rule::{Recipe, Rule},
};

/// Whose buckets a request takes from.
pub(crate) struct Parties<'a> {
    keys: &'a KeyMaker,
    asking: Asking<'a>,
    prefixes: Prefixes,
    /// Asked for most, and by several tiers.
    account: OnceCell<Owner>,
}

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

impl<'a> Parties<'a> {
    pub(crate) fn new(
        keys: &'a KeyMaker,
        prefixes: Prefixes,
        call: Option<&'a Call>,
        headers: &'a HeaderMap,
        context: &'a SecurityContext,
    ) -> Self {
        Self {
            keys,
            prefixes,
            asking: Asking {
                call,
                headers,
                context,
            },
            account: OnceCell::new(),
        }
    }

    /// A tier's bucket; `None` if it does not concern the request.
    #[inline]
    pub(crate) fn place(&self, rule: &Rule) -> Option<Place> {
        match &rule.recipe {
            Recipe::Single => Some(Place::of(rule.mask, None)),
            Recipe::Account => Some(Place::of(rule.mask, Some(self.account()))),
            Recipe::Address(prefixes) => Some(Place::of(rule.mask, Some(&self.address(*prefixes)))),
            Recipe::Parts(parts) => {
                let owner = self.owner_of(parts)?;
                Some(Place::of(rule.mask, Some(&*owner)))
            }
        }
    }

    /// The account; the address of whom nobody vouches for; nobody if that is unknown too.
    #[inline]
    pub(crate) fn account(&self) -> &Owner {
        self.account.get_or_init(|| self.new_account())
    }

    fn new_account(&self) -> Owner {
        match self.principal() {
            Some(principal) => self.keys.account(principal),
            None => self.address(self.prefixes),
        }
    }

    fn principal(&self) -> Option<&'a Principal> {
        let principal = self.asking.context.principal();
        principal.filter(|principal| !principal.is_anonymous())
    }

    fn owner_of(&self, parts: &[Part]) -> Option<Cow<'_, Owner>> {
        let mut made: Option<Cow<'_, Owner>> = None;
        for part in parts {
            made = Some(match part {
                Part::Session => {
                    let owner = made.as_deref().unwrap_or_else(|| self.account());
                    Cow::Owned(self.session(owner)?)
                }
                Part::Said(said) => {
                    let said = said.say(&self.asking)?;
                    let bytes = [said.as_bytes()];
                    Cow::Owned(match &made {
                        Some(owner) => self.keys.within(owner, Sort::Said, bytes),
                        None => self.keys.minted(Sort::Said, bytes),
                    })
                }
                part => {
                    let next = self.part(part)?;
                    match made {
                        Some(owner) => Cow::Owned(self.keys.both(&owner, &next)),
                        None => next,
                    }
                }
            });
        }
        made
    }

    fn part(&self, part: &Part) -> Option<Cow<'_, Owner>> {
        let owner = match part {
            Part::Account => return Some(Cow::Borrowed(self.account())),
            Part::ApiKey => self.api_key(),
            Part::Tenant => Some(self.tenant()),
            Part::Address(prefixes) => Some(self.address(*prefixes)),
            Part::Method => Some(self.keys.owner(Sort::Method, [self.method().as_bytes()])),
            Part::Tools(names) => {
                let call = self.asking.call?;
                let name = call
                    .name()
                    .filter(|_| call.subject() == Some(Subject::Tool))?;
                let known = names.get(name).map(|name| name.as_bytes());
                Some(self.keys.owner(Sort::Tool, known))
            }
            Part::Said(_) | Part::Session => None,
        };
        owner.map(Cow::Owned)
    }

    /// The key; the account, if its authenticator names no key.
    fn api_key(&self) -> Option<Owner> {
        let principal = self.principal()?;
        (principal.method() == "apikey").then(|| {
            self.credential(principal)
                .unwrap_or_else(|| *self.account())
        })
    }

    /// The buckets of a credential that says itself how often it may be used. One that was made from another takes from
    /// its buckets too, and has one of its own if its rate is lower: as many as are made of one rate have one together.
    pub(crate) fn chain(&self, principal: &Principal, mut each: impl FnMut(Owner, CallRate)) {
        let credential = self.credential(principal);
        let credential = credential.unwrap_or_else(|| *self.account());
        let mut rate: Option<CallRate> = None;
        let mut rates = [[0; 4]; 2 * MOST_OF_CREDENTIAL];
        let mut said = 0;
        for next in principal.limits().iter().filter_map(CredentialLimits::rate) {
            let together = rate.map_or(next, |rate| rate.and(next));
            if rate == Some(together) || said >= rates.len() {
                continue;
            }
            // Of a longer chain the last bucket is that of all that follow.
            let is_last = said + 2 >= rates.len();
            let together = principal.rate().filter(|_| is_last).unwrap_or(together);
            rate = Some(together);
            for number in [together.per_minute(), together.burst()] {
                if let Some(place) = rates.get_mut(said) {
                    *place = number.to_le_bytes();
                    said += 1;
                }
            }
            let parts = rates.iter().take(said).map(<[u8; 4]>::as_slice);
            each(self.keys.within(&credential, Sort::Chain, parts), together);
        }
    }

    /// Whose the buckets of a credential are; `None` if its authenticator names none.
    fn credential(&self, principal: &Principal) -> Option<Owner> {
        let parts = [principal.issuer(), principal.credential_id()?];
        Some(self.keys.owner(Sort::ApiKey, parts.map(str::as_bytes)))
    }

    fn tenant(&self) -> Owner {
        let principal = self.principal();
        let issuer = principal.map(Principal::issuer);
        let tenant = principal.and_then(Principal::tenant);
        let parts = issuer.into_iter().chain(tenant);
        self.keys.owner(Sort::Tenant, parts.map(str::as_bytes))
    }

    pub(crate) fn address(&self, prefixes: Prefixes) -> Owner {
        match self.asking.context.client_address() {
            Some(address) => self
                .keys
                .numbered(Sort::Address, network(address, prefixes)),
            None => self.keys.owner(Sort::Nobody, []),
        }
    }

    fn method(&self) -> &'static str {
        match self.asking.call {
            Some(call) => match call.kind() {
                CallKind::Request | CallKind::Notification => counted_as(call.method()),
                CallKind::Stream => "GET",
                CallKind::EndSession => "DELETE",
                _ => "response",
            },
            None => "",
        }
    }

    fn session(&self, owner: &Owner) -> Option<Owner> {
        let mut ids = self.asking.headers.get_all(SESSION_ID).iter().peekable();
        ids.peek()?;
        let ids = ids.map(HeaderValue::as_bytes);
        Some(self.keys.within(owner, Sort::Session, ids))
    }
}

/// The first bits of an address. An IPv4 address in an IPv6 one is itself (TR-19).
fn network(address: IpAddr, prefixes: Prefixes) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let host = u32::MAX.checked_shr(u32::from(prefixes.v4)).unwrap_or(0);
            let network = std::net::Ipv4Addr::from_bits(address.to_bits() & !host);
            network.to_ipv6_mapped().to_bits()
        }
        IpAddr::V6(address) => {
            let host = u128::MAX.checked_shr(u32::from(prefixes.v6)).unwrap_or(0);
            address.to_bits() & !host
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rl_9_ipv6_counts_by_its_first_64_bits_and_ipv4_whole() {
        let network = |text: &str| network(text.parse().unwrap(), Prefixes::DEFAULT);
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1:2:3"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("::"), network("0.0.0.0"));
    }

    #[test]
    fn other_prefixes_count_as_many_bits_as_they_say() {
        let network = |text: &str| network(text.parse().unwrap(), Prefixes { v4: 24, v6: 48 });
        assert_eq!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:1::1"));
        assert_eq!(network("192.0.2.1"), network("192.0.2.2"));
        assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
    }
}
