//! Each oracle over its seeds and over a few thousand mutations of them: on stable, in seconds,
//! and the same ones every time.

use std::{fs, panic, path::PathBuf};

use bartizan_fuzz::{Oracle, TARGETS};
use fastrand::Rng;

const MUTATIONS: usize = 4000;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(root().join("seeds").join(target)).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The entries of a libFuzzer dictionary: one quoted string a line, with `\\`, `\"` and `\xNN`.
fn dictionary(target: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(root().join("dict").join(format!("{target}.dict"))).unwrap();
    let words = text.lines().filter_map(|line| line.strip_prefix('"'));
    words
        .map(|word| unquoted(word.strip_suffix('"').unwrap()))
        .collect()
}

fn unquoted(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().unwrap() {
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                escaped => escaped,
            },
            plain => plain,
        });
    }
    bytes
}

/// One to four small changes, of the kinds that fuzzers make.
fn mutate(rng: &mut Rng, input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[Vec<u8>]) {
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(..=input.len());
        let end = rng.usize(at..=input.len().min(at + 16));
        match rng.u8(..8) {
            0 => drop(input.drain(at..end)),
            1 => input.insert(at, rng.u8(..)),
            2 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
            3 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            4 => {
                let other = rng.choice(seeds).unwrap();
                let from = rng.usize(..=other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            5 => drop(input.splice(at..end, rng.choice(words).unwrap().clone())),
            _ => drop(input.splice(at..at, rng.choice(words).unwrap().clone())),
        }
    }
}

fn hold(target: &str, oracle: Oracle) {
    let (seeds, words) = (seeds(target), dictionary(target));
    let check = |input: &[u8]| {
        let held = panic::catch_unwind(|| oracle(input));
        assert!(held.is_ok(), "{target}: b\"{}\"", input.escape_ascii());
    };
    for seed in &seeds {
        check(seed);
    }
    let mut rng = Rng::with_seed(0x6261_7274_697a_616e);
    for _ in 0..MUTATIONS {
        let mut input = rng.choice(&seeds).unwrap().clone();
        mutate(&mut rng, &mut input, &seeds, &words);
        check(&input);
    }
}

macro_rules! hold {
    ($($target:ident)*) => {
        $(
            #[test]
            fn $target() {
                hold(stringify!($target), bartizan_fuzz::$target);
            }
        )*

        #[test]
        fn every_target_is_tried() {
            let tried = [$(stringify!($target)),*];
            let targets: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(targets, tried);
        }
    };
}

hold! { call_body call_headers challenge claims event_stream forwarded host jwks origin proof session_id token }
