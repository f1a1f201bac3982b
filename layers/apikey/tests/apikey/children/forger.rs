//! Writes and takes apart children by the description of their form alone, with nothing of the crate's own.

use data_encoding::{Encoding, Specification};
use ed25519_dalek::{Signer as _, SigningKey};
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};

#[derive(Clone)]
pub(super) struct Forged {
    pub(super) brand: String,
    pub(super) environment: String,
    pub(super) id: Vec<u8>,
    pub(super) version: u8,
    pub(super) links: Vec<Link>,
    pub(super) seed: [u8; 32],
}

#[derive(Clone)]
pub(super) struct Link {
    pub(super) body: Vec<u8>,
    pub(super) next: [u8; 32],
    pub(super) signature: [u8; 64],
}

fn letters() -> Encoding {
    let mut letters = Specification::new();
    letters.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    letters.encoding().unwrap()
}

impl Forged {
    /// Of a key, or of a child.
    pub(super) fn of(text: &str) -> Self {
        let parts: Vec<&str> = text.split('_').collect();
        let [brand, environment, id, middle @ .., end] = &*parts else {
            panic!("{text}");
        };
        let decode = |text: &str| letters().decode(text.as_bytes()).unwrap();
        let mut forged = Self {
            brand: (*brand).to_owned(),
            environment: (*environment).to_owned(),
            id: decode(id),
            version: 1,
            links: Vec::new(),
            seed: decode(&end[..52]).try_into().unwrap(),
        };
        match middle {
            [] => {
                let info = [b"bartizan apikey 1 first key of a chain", &*forged.root()].concat();
                let secret = forged.seed;
                let extracted = Hkdf::<Sha256>::new(None, &secret);
                extracted.expand(&info, &mut forged.seed).unwrap();
            }
            [chain] => forged.links = links(&decode(chain)[1..]),
            _ => panic!("{text}"),
        }
        forged
    }

    fn root(&self) -> Vec<u8> {
        let mut root = Vec::new();
        for word in [&self.brand, &self.environment] {
            root.push(word.len() as u8);
            root.extend(word.as_bytes());
        }
        root.extend(&self.id);
        root
    }

    /// What is signed as the link that comes next.
    pub(super) fn message(&self, next: &[u8; 32], body: &[u8]) -> Vec<u8> {
        let mut before = self.clone();
        let Some(last) = before.links.pop() else {
            return self.message_after([0; 32], next, body);
        };
        let message = before.message(&last.next, &last.body);
        let digest = [
            b"bartizan apikey 1 digest of a link",
            &*message,
            &last.signature,
        ];
        self.message_after(Sha256::digest(digest.concat()).into(), next, body)
    }

    fn message_after(&self, previous: [u8; 32], next: &[u8; 32], body: &[u8]) -> Vec<u8> {
        [
            b"bartizan apikey 1 link of a chain",
            &*self.root(),
            &[self.links.len() as u8],
            &previous,
            next,
            body,
        ]
        .concat()
    }

    /// With one link more, honestly signed.
    pub(super) fn link(mut self, body: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest([&self.seed[..], body].concat()).into();
        let seed = SigningKey::from_bytes(&digest);
        let next = seed.verifying_key().to_bytes();
        let signer = SigningKey::from_bytes(&self.seed);
        let signature = signer.sign(&self.message(&next, body)).to_bytes();
        self.links.push(Link {
            body: body.to_vec(),
            next,
            signature,
        });
        self.seed = seed.to_bytes();
        self
    }

    pub(super) fn chain(&self) -> Vec<u8> {
        let mut chain = vec![self.version];
        for link in &self.links {
            chain.extend((link.body.len() as u16).to_be_bytes());
            chain.extend(&link.body);
            chain.extend(link.next);
            chain.extend(link.signature);
        }
        chain
    }

    pub(super) fn text(&self) -> String {
        self.text_with(&self.chain())
    }

    /// With another chain, and a checksum that is right.
    pub(super) fn text_with(&self, chain: &[u8]) -> String {
        let Self {
            brand, environment, ..
        } = self;
        let [id, chain, seed] = [&*self.id, chain, &self.seed].map(|bytes| letters().encode(bytes));
        signed_off(format!("{brand}_{environment}_{id}_{chain}_{seed}"))
    }

    /// As a key whose secret is the last private key.
    pub(super) fn text_without_chain(&self) -> String {
        let Self {
            brand, environment, ..
        } = self;
        let [id, seed] = [&*self.id, &self.seed].map(|bytes| letters().encode(bytes));
        signed_off(format!("{brand}_{environment}_{id}_{seed}"))
    }
}

fn signed_off(text: String) -> String {
    let checksum = crc32fast::hash(text.as_bytes()).to_be_bytes();
    text + &letters().encode(&checksum)
}

fn links(mut bytes: &[u8]) -> Vec<Link> {
    let mut links = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (body, rest) = rest.split_at(u16::from_be_bytes(*length).into());
        let (next, rest) = rest.split_first_chunk::<32>().unwrap();
        let (signature, rest) = rest.split_first_chunk::<64>().unwrap();
        links.push(Link {
            body: body.to_vec(),
            next: *next,
            signature: *signature,
        });
        bytes = rest;
    }
    links
}
