use bartizan_apikey::{ApiKeyConfig, ApiKeys, MemoryStore};

use super::{
    super::support::{builder, clock, grant, verify},
    forger::Forged,
};

/// Keys in whose way no budget stands.
fn keys() -> ApiKeys {
    let mut config = ApiKeyConfig::default();
    config.new_keys_per_minute = 1_000_000;
    let builder = builder(MemoryStore::new(), &clock());
    builder.config(config).build().unwrap()
}

/// The tools that are left: `a` and `b`.
const TOOLS: &[u8] = &[3, 0, 6, 0, 1, b'a', 0, 1, b'b'];
/// The name of a link.
const LABEL: &[u8] = &[1, 0, 1, b'x'];
const LAST: &[u8] = &[10, 0, 0];
/// A point of order one, under which anybody's signature is the same.
const NEUTRAL: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};
/// The order of the group.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

const BROKEN: &str = "the child's chain is broken";
const UNREADABLE: &str = "the child's chain can't be read";
const SECRET: &str = "the child's secret is not that of its chain";

/// What a child of `key` is made into, beside another child of it, and one of another key.
fn attacks(key: &Forged, other: &Forged) -> Vec<(&'static str, String, &'static str)> {
    let parent = key.clone().link(TOOLS);
    let child = parent.clone().link(LABEL);
    let sibling = key.clone().link(LABEL).link(LABEL);
    let foreign = other.clone().link(TOOLS).link(LABEL);
    let changed = |from: &Forged, change: &dyn Fn(&mut Forged)| {
        let mut forged = from.clone();
        change(&mut forged);
        forged.text()
    };
    let of_child = |change: &dyn Fn(&mut Forged)| changed(&child, change);
    let honest = |bodies: &[&[u8]]| {
        let add = |forged: Forged, body: &&[u8]| forged.link(body);
        bodies.iter().fold(key.clone(), add).text()
    };
    let chain = child.chain();
    vec![
        (
            "the last link is taken off",
            of_child(&|c| drop(c.links.pop())),
            SECRET,
        ),
        (
            "the first link is taken off",
            of_child(&|c| drop(c.links.remove(0))),
            BROKEN,
        ),
        (
            "the links are exchanged",
            of_child(&|c| c.links.swap(0, 1)),
            BROKEN,
        ),
        (
            "a link is there twice",
            of_child(&|c| c.links.push(c.links[1].clone())),
            BROKEN,
        ),
        (
            "the first link is its sibling's",
            of_child(&|c| c.links[0] = sibling.links[0].clone()),
            BROKEN,
        ),
        (
            "the last link is its sibling's",
            of_child(&|c| c.links[1] = sibling.links[1].clone()),
            BROKEN,
        ),
        (
            "the chain is another key's",
            of_child(&|c| c.links = foreign.links.clone()),
            BROKEN,
        ),
        (
            "all but the id is another key's",
            changed(&foreign, &|c| c.id = child.id.clone()),
            BROKEN,
        ),
        (
            "the id is another key's",
            of_child(&|c| c.id = other.id.clone()),
            BROKEN,
        ),
        (
            "the id is nobody's",
            of_child(&|c| c.id = vec![0; 10]),
            "there is no such key",
        ),
        (
            "the environment is another",
            of_child(&|c| c.environment = "test".to_owned()),
            BROKEN,
        ),
        (
            "the brand is another",
            of_child(&|c| c.brand = "acne".to_owned()),
            "the key does not begin with the brand",
        ),
        (
            "the version is another",
            of_child(&|c| c.version = 2),
            "the child's chain is of another version",
        ),
        (
            "its secret is its parent's",
            of_child(&|c| c.seed = parent.seed),
            SECRET,
        ),
        (
            "its secret is made up",
            of_child(&|c| c.seed = [7; 32]),
            SECRET,
        ),
        (
            "it has no links",
            of_child(&|c| c.links.clear()),
            "the key has not the form of one",
        ),
        (
            "it is shown as the key",
            child.text_without_chain(),
            "the key's secret is wrong",
        ),
        (
            "the key's own private key is shown as its secret",
            key.text_without_chain(),
            "the key's secret is wrong",
        ),
        (
            "a link says less than was signed",
            of_child(&|c| c.links[0].body = vec![]),
            BROKEN,
        ),
        (
            "a link says more tools than were signed",
            of_child(&|c| c.links[0].body[5] = b'*'),
            BROKEN,
        ),
        (
            "a signature is another",
            of_child(&|c| c.links[1].signature[3] ^= 1),
            BROKEN,
        ),
        (
            "a signature is written in another way",
            of_child(&|c| add_order(&mut c.links[1].signature)),
            BROKEN,
        ),
        (
            "a link is signed by a stranger",
            {
                let mut stranger = key.clone();
                stranger.seed = [9; 32];
                stranger.link(TOOLS).text()
            },
            BROKEN,
        ),
        (
            "a link is signed by nobody, under a point of small order",
            {
                let mut forged = key.clone().link(TOOLS);
                // The parent gives its own last link such a key, honestly signed.
                forged = resigned(key, forged, NEUTRAL).link(LABEL);
                forged.links[1].signature = [NEUTRAL, [0; 32]].concat().try_into().unwrap();
                forged.text()
            },
            BROKEN,
        ),
        (
            "it has five links",
            honest(&[LABEL; 5]),
            "the child's chain has more than four links",
        ),
        (
            "it descends from one that may have no children",
            honest(&[LAST, LABEL]),
            "the child descends from one that may have no children",
        ),
        (
            "it is taken for good with a byte more",
            child.text_with(&[&*chain, &[0]].concat()),
            UNREADABLE,
        ),
        (
            "it is cut short",
            child.text_with(&chain[..chain.len() - 1]),
            UNREADABLE,
        ),
        (
            "a link says what is not known",
            honest(&[&[99, 0, 0]]),
            UNREADABLE,
        ),
        (
            "a link says nothing as number zero",
            honest(&[&[0, 0, 0]]),
            UNREADABLE,
        ),
        (
            "a link says a thing twice",
            honest(&[&[LABEL, LABEL].concat()]),
            UNREADABLE,
        ),
        (
            "a link says things in another order",
            honest(&[&[TOOLS, LABEL].concat()]),
            UNREADABLE,
        ),
        (
            "a link is longer than it says",
            honest(&[&[1, 0, 1, b'x', 0]]),
            UNREADABLE,
        ),
        (
            "a link is shorter than it says",
            honest(&[&[1, 0, 9, b'x']]),
            UNREADABLE,
        ),
        (
            "a label breaks the line",
            honest(&[&[1, 0, 1, b'\n']]),
            UNREADABLE,
        ),
        (
            "a label ends its own quotes",
            honest(&[&[1, 0, 1, b'`']]),
            UNREADABLE,
        ),
        ("a label is empty", honest(&[&[1, 0, 0]]), UNREADABLE),
        (
            "a text is not UTF-8",
            honest(&[&[7, 0, 3, 0, 1, 0xff]]),
            UNREADABLE,
        ),
        (
            "an end has seven bytes",
            honest(&[&[2, 0, 7, 0, 0, 0, 0, 0, 0, 9]]),
            UNREADABLE,
        ),
        (
            "that it is the last says more",
            honest(&[&[10, 0, 1, 0]]),
            UNREADABLE,
        ),
        (
            "a network has a bit beyond its prefix",
            honest(&[&[9, 0, 6, 4, 24, 192, 0, 2, 1]]),
            UNREADABLE,
        ),
        (
            "a network has too long a prefix",
            honest(&[&[9, 0, 6, 4, 33, 192, 0, 2, 1]]),
            UNREADABLE,
        ),
        (
            "a network is of no family",
            honest(&[&[9, 0, 6, 5, 24, 192, 0, 2, 0]]),
            UNREADABLE,
        ),
        (
            "a pattern is none",
            honest(&[&[3, 0, 4, 0, 2, b'a', b'?']]),
            "the key has limits that can't be read",
        ),
        (
            "it has expired",
            honest(&[&[2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9]]),
            "the child has expired",
        ),
    ]
}

fn add_order(signature: &mut [u8; 64]) {
    let mut carry = 0;
    for (byte, of_order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(of_order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}

/// The same child with another public key in its one link.
fn resigned(key: &Forged, mut child: Forged, next: [u8; 32]) -> Forged {
    use ed25519_dalek::{Signer as _, SigningKey};
    let message = key.message(&next, &child.links[0].body);
    child.links[0].next = next;
    child.links[0].signature = SigningKey::from_bytes(&key.seed).sign(&message).to_bytes();
    child
}

#[tokio::test]
async fn whatever_is_made_of_a_child_is_refused_for_what_it_is() {
    let keys = keys();
    let key = keys.issue(grant()).await.unwrap();
    let other = keys.issue(grant()).await.unwrap();
    let (key, other) = (Forged::of(key.text()), Forged::of(other.text()));
    let honest = key.clone().link(TOOLS).link(LABEL);
    assert_eq!(verify(&keys, &honest.text()).await, Ok(()));
    assert_eq!(verify(&keys, &key.clone().link(LAST).text()).await, Ok(()));
    let four = key.clone().link(&[]).link(&[]).link(&[]).link(&[]);
    assert_eq!(verify(&keys, &four.text()).await, Ok(()));
    for (attack, text, reason) in attacks(&key, &other) {
        let verdict = verify(&keys, &text).await;
        assert_eq!(verdict, Err(reason.to_owned()), "{attack}");
    }
}

#[tokio::test]
async fn no_byte_of_a_child_can_be_another() {
    let keys = keys();
    let key = keys.issue(grant()).await.unwrap();
    let child = Forged::of(key.text()).link(TOOLS).link(LABEL);
    assert_eq!(Forged::of(&child.text()).text(), child.text());
    let chain = child.chain();
    for place in 0..chain.len() {
        let mut changed = chain.clone();
        changed[place] ^= 1 << (place % 8);
        let verdict = verify(&keys, &child.text_with(&changed)).await;
        assert!(verdict.is_err(), "byte {place}");
    }
    for place in 0..32 {
        let mut changed = child.clone();
        changed.seed[place] ^= 0x80 >> (place % 8);
        assert!(verify(&keys, &changed.text()).await.is_err(), "{place}");
    }
    assert_eq!(verify(&keys, &child.text()).await, Ok(()));
}

#[tokio::test]
async fn one_changed_character_of_a_child_is_seen_without_a_question() {
    let keys = keys();
    let key = keys.issue(grant()).await.unwrap();
    let text = Forged::of(key.text()).link(TOOLS).text();
    for place in 10..text.len() {
        let letter = if &text[place..=place] == "a" {
            "b"
        } else {
            "a"
        };
        let changed = format!("{}{letter}{}", &text[..place], &text[place + 1..]);
        let reason = verify(&keys, &changed).await.unwrap_err();
        let is_of_form = reason == "the key's checksum is wrong" || reason.contains("form of one");
        assert!(is_of_form, "{place}: {reason}");
    }
}
