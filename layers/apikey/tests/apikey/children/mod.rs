//! Children of keys: what they are good for, and what is made up.

mod attacks;
mod forger;
mod life;
mod narrowing;
mod requests;
mod vectors;

use bartizan_apikey::{Attenuation, HeldKey, IssuedKey};

use super::support::form;

fn held(key: &IssuedKey) -> HeldKey {
    HeldKey::parse(&form(), key.text()).unwrap()
}

fn child(key: &IssuedKey) -> HeldKey {
    held(key).attenuate(Attenuation::new()).unwrap()
}
