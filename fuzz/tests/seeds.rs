//! Each oracle over its corpus, and over what proptest makes of it: on stable, in seconds, and the
//! same every time.

use std::{fs, panic, path::PathBuf};

use bartizan_fuzz::{Oracle, TARGETS};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select, subsequence},
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};

/// How many inputs are made of a corpus; `PROPTEST_CASES` says otherwise.
const CASES: u32 = 4000;

const SEED: [u8; 32] = *b"the same inputs, each time again";

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

/// A small change, of the kinds that fuzzers make.
#[derive(Debug, Clone)]
enum Change {
    Cut(Index, Index),
    Byte(Index, u8),
    Flip(Index, u8),
    Again(Index, Index),
    /// The rest of another input instead of this one's.
    Join(Index, Vec<u8>, Index),
    Word(Index, Vec<u8>),
    WordInstead(Index, Index, Vec<u8>),
}

impl Change {
    fn apply(&self, input: &mut Vec<u8>) {
        let place = |at: &Index| at.index(input.len() + 1);
        let range = |at: &Index, length: &Index| {
            let at = place(at);
            at..input.len().min(at + length.index(17))
        };
        match self {
            Self::Cut(at, length) => drop(input.drain(range(at, length))),
            Self::Byte(at, byte) => input.insert(place(at), *byte),
            Self::Flip(at, bit) => {
                let at = place(at);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Again(at, length) => {
                let range = range(at, length);
                let (at, again) = (range.start, input[range].to_vec());
                input.splice(at..at, again);
            }
            Self::Join(at, other, from) => {
                input.truncate(place(at));
                input.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
            Self::Word(at, word) => {
                let at = place(at);
                input.splice(at..at, word.iter().copied());
            }
            Self::WordInstead(at, length, word) => {
                let range = range(at, length);
                input.splice(range, word.iter().copied());
            }
        }
    }
}

fn change(seeds: &[Vec<u8>], words: &[Vec<u8>]) -> impl Strategy<Value = Change> + use<> {
    let at = any::<Index>;
    let word = || select(words.to_vec());
    prop_oneof![
        1 => (at(), at()).prop_map(|(at, length)| Change::Cut(at, length)),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        1 => (at(), at()).prop_map(|(at, length)| Change::Again(at, length)),
        1 => (at(), select(seeds.to_vec()), at())
            .prop_map(|(at, other, from)| Change::Join(at, other, from)),
        2 => (at(), word()).prop_map(|(at, word)| Change::Word(at, word)),
        1 => (at(), at(), word())
            .prop_map(|(at, length, word)| Change::WordInstead(at, length, word)),
    ]
}

/// Members of the dictionary as one object: well-formed, which few changes leave an input. Before it
/// stands what stands before the corpus's objects.
fn object(seeds: &[Vec<u8>], words: &[Vec<u8>]) -> Option<BoxedStrategy<Vec<u8>>> {
    let is_member = |word: &&Vec<u8>| word.starts_with(b"\"") && word.contains(&b':');
    let members: Vec<_> = words.iter().filter(is_member).cloned().collect();
    let before = |seed: &Vec<u8>| Some(seed[..seed.iter().position(|b| *b == b'{')?].to_vec());
    let befores: Vec<_> = seeds.iter().filter_map(before).collect();
    let most = members.len().min(8);
    let usable = most > 1 && !befores.is_empty();
    let some = usable.then(|| subsequence(members, 1..=most).prop_shuffle())?;
    let object = (select(befores), some).prop_map(|(mut input, some)| {
        input.extend([b"{", &*some.join(&b','), b"}"].concat());
        input
    });
    Some(object.boxed())
}

fn inputs(seeds: &[Vec<u8>], words: &[Vec<u8>]) -> BoxedStrategy<Vec<u8>> {
    let changed = (select(seeds.to_vec()), vec(change(seeds, words), 1..=4));
    let changed = changed.prop_map(|(mut input, changes)| {
        changes.iter().for_each(|change| change.apply(&mut input));
        input
    });
    let anything = vec(any::<u8>(), 0..200);
    match object(seeds, words) {
        Some(object) => prop_oneof![6 => changed, 2 => object, 1 => anything].boxed(),
        None => prop_oneof![8 => changed, 1 => anything].boxed(),
    }
}

fn hold(target: &str, oracle: Oracle) {
    let (seeds, words) = (seeds(target), dictionary(target));
    for seed in &seeds {
        let held = panic::catch_unwind(|| oracle(seed));
        assert!(held.is_ok(), "{target}: b\"{}\"", seed.escape_ascii());
    }
    let mut config = Config::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    // What fails goes into the corpus, by hand and under a name.
    config.failure_persistence = None;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&inputs(&seeds, &words), |input| {
        oracle(&input);
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, input)) => {
            panic!("{target}: b\"{}\": {reason}", input.escape_ascii());
        }
        Err(error) => panic!("{target}: {error}"),
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

hold! {
    answer api_key call_body call_headers challenge child claims event_stream forwarded header host jwks key_record list
    origin proof proof_header redaction safe_arg safe_html safe_path safe_sql safe_text safe_url schema session_id sse token
    tool_answer
}

/// An oracle that fails is found out, and its input made small.
#[test]
fn an_input_that_breaks_a_promise_is_found_and_made_small() {
    let broken: Oracle = |data| assert!(!data.windows(2).any(|two| two == b"EC"), "found");
    let found = panic::catch_unwind(|| hold("jwks", broken)).unwrap_err();
    let found = found.downcast_ref::<String>().unwrap();
    assert!(found.contains("EC"), "{found}");
}
