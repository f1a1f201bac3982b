mod naive;
mod writer;

use std::{net::IpAddr, sync::LazyLock, time::Duration};

use bartizan_apikey::{ApiKeyConfig, ApiKeys, KeyForm, KeyRecord, KeyStore, MemoryStore, Peppers};
use bartizan_core::{Clock, FakeClock, Secret};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::issuer::NOW;

const PEPPER: [u8; 32] = [1; 32];
const ROLES: [&str; 2] = ["developer", "viewer"];

struct Server {
    runtime: Runtime,
    keys: ApiKeys,
    clock: FakeClock,
}

/// It knows one key, which is good for years, from anywhere.
static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let form = KeyForm::new(writer::BRAND, [writer::ENVIRONMENT]).expect("a form");
    let peppers = Peppers::new(1, Secret::from(PEPPER.to_vec())).expect("a pepper");
    let store = MemoryStore::new();
    let record = json!({
        "id": writer::letters(&writer::ID),
        "hash": writer::hash(&PEPPER),
        "verifying_key": writer::vouched(&PEPPER),
        "version": 1,
        "grant": {
            "name": "ci", "owner": "ci", "owner_kind": "service", "tenant": null, "environment": writer::ENVIRONMENT,
            "roles": ROLES, "scopes": ROLES, "capabilities": [], "networks": [],
            "limits": { "tools": null, "prompts": null, "resources": null, "methods": null, "rate": null },
        },
        "created_at": NOW, "not_before": NOW, "expires_at": naive::END,
        "revoked": null, "successor": null, "predecessor": null, "last_used": null,
    });
    let record: KeyRecord = serde_json::from_value(record).expect("a record");
    runtime.block_on(store.insert(record)).expect("it has room");
    let mut config = ApiKeyConfig::default();
    config.new_keys_per_minute = 1_000_000;
    let clock = FakeClock::at(Duration::from_secs(NOW));
    let keys = ApiKeys::builder(form, peppers, store).config(config);
    let keys = keys.clock(clock.clone()).build().expect("keys");
    Server {
        runtime,
        keys,
        clock,
    }
});

/// An even byte and what the last link of a child says, honestly signed after as many links that say nothing as half
/// of that byte says; or an odd byte and a chain as it is.
///
/// A child is admitted if and only if a naive reader, which checks signatures with another library, takes it; and it is
/// what that says: no more than each link leaves.
pub fn child(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let (chain, seed) = match mode % 2 {
        0 => writer::signed(usize::from(mode / 2 % 5), rest),
        _ => (rest.to_vec(), writer::last_seed(1)),
    };
    let text = writer::text(&chain, &seed);
    let Server {
        runtime,
        keys,
        clock,
    } = &*SERVER;
    // As many as may be asked about in a minute.
    clock.advance(Duration::from_micros(60));
    let expected = naive::read(&chain, &seed, clock.wall().as_secs());
    let expected = expected.filter(|_| text.len() <= 4096);
    for from in [None, Some(IpAddr::from([192, 0, 2, 9]))] {
        let verdict = runtime.block_on(keys.verifier().verify(&text, from));
        let is_from_there = |child: &naive::Child| child.is_good_from(from);
        let Some(expected) = expected.as_ref().filter(|child| is_from_there(child)) else {
            let denial = verdict.expect_err("it was admitted");
            assert_eq!(denial.status(), 401, "{}", denial.reason());
            continue;
        };
        let principal = verdict.map_err(|denial| denial.reason().to_owned());
        let principal = principal.expect("it was refused");
        assert_eq!(
            principal.credential_id(),
            Some(&*writer::letters(&writer::ID))
        );
        assert!(
            principal
                .roles()
                .eq(expected.roles.iter().map(String::as_str))
        );
        assert!(
            principal
                .scopes()
                .eq(expected.scopes.iter().map(String::as_str))
        );
        assert_eq!(principal.capabilities().count(), 0);
        assert_eq!(
            principal.expires_at(),
            Some(Duration::from_secs(expected.end))
        );
        assert_eq!(principal.limits(), expected.limits);
    }
}
