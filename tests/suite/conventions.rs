//! What CONTRIBUTING.md asks and a machine can check.

use std::collections::{BTreeMap, BTreeSet};

use crate::workspace::{files, layers, manifest, read, root, shown};

/// The numbered flaws of docs/flaws.md: letter, how many, subject.
const SEEDS: &[(char, u32, &str)] = &[
    ('a', 17, "authentication"),
    ('z', 10, "authorization"),
    ('r', 12, "rate limits"),
    ('v', 10, "validation"),
    ('h', 6, "headers"),
    ('c', 5, "CORS"),
    ('u', 17, "audit"),
];

/// The flaws that the layers built so far must not have, each with a test of its number.
const GUARDED: &[&str] = &[
    "a5", "a6", "a7", "a8", "a9", "a10", "a11", "a12", "a13", "a14", "a15", "a17", "z1", "z2",
    "z3", "z4", "z5", "z6", "z7", "z8", "z9", "z10", "r1", "r2", "r3", "r4", "r5", "r6", "r7",
    "r8", "r9", "r10", "r11", "r12", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10",
    "h1", "h2", "h3", "h4", "h5", "h6", "c1", "c2", "c3", "c4", "c5", "u1", "u2", "u3", "u4", "u5",
    "u6", "u7", "u8", "u9", "u10", "u11", "u12", "u13", "u14", "u15", "u16", "u17",
];

#[test]
fn the_tree_is_complete() {
    for path in [
        ".ci/run",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "SECURITY.md",
        "benches",
        "deny.toml",
        "benches/gates.json",
        "benches/peers/Cargo.lock",
        "docs/flaws.md",
        "docs/performance.md",
        "docs/requirements.md",
        "scripts/setup.sh",
        "scripts/smoke.sh",
        "src/lib.rs",
        "tests/kit/Cargo.toml",
        "tests/vectors",
    ] {
        assert!(root().join(path).exists(), "`{path}` is missing");
    }
    for name in [
        "secure_server",
        "single_layer",
        "hyper_bare",
        "mtls_server",
        "policy_replay",
        "keys",
        "audit_verify",
        "audit_watch",
    ] {
        let example = |file: String| root().join("examples").join(file).exists();
        let found = example(format!("{name}.rs")) || example(format!("{name}/main.rs"));
        assert!(found, "example `{name}` is missing");
    }
    for name in [
        "core",
        "headers",
        "audit",
        "network",
        "cors",
        "ratelimit",
        "jwt",
        "oauth",
        "apikey",
        "session",
        "rbac",
        "validate",
        "alerts",
        "detect",
    ] {
        assert!(root().join("layers").join(name).exists(), "`{name}`");
    }
}

#[test]
fn every_readme_is_its_crates_documentation() {
    for member in layers() {
        let source = read(&member.folder.join("src/lib.rs"));
        assert!(
            source.starts_with("#![doc = include_str!(\"../README.md\")]\n"),
            "`{}`: lib.rs starts otherwise",
            member.name
        );
        let readme = read(&member.folder.join("README.md"));
        // Every second piece stands between fences; one without a language is Rust.
        let example = readme
            .split("```")
            .skip(1)
            .step_by(2)
            .any(|block| block.starts_with("rust\n") || block.starts_with('\n'));
        assert!(
            example,
            "`{}`: the README has no runnable example",
            member.name
        );
    }
}

#[test]
fn nothing_is_unsafe_or_unfinished() {
    let manifest = manifest(root());
    let lint = &manifest["workspace"]["lints"]["rust"]["unsafe_code"];
    assert_eq!(lint.as_str(), Some("forbid"));

    // Put together here, so that this file does not find itself.
    let keyword = ["un", "safe"].concat();
    let unfinished = [["to", "do!"].concat(), ["unimple", "mented!"].concat()];
    for path in files(&[".rs"]) {
        for (number, line) in read(&path).lines().enumerate() {
            let code = line.split("//").next().unwrap();
            let at = format!("{}:{}", shown(&path), number + 1);
            let mut words = code.split(|c: char| c.is_whitespace());
            while let Some(word) = words.next() {
                let followed = || words.clone().find(|word| !word.is_empty());
                assert!(
                    word != keyword
                        || !followed().is_some_and(|next| {
                            ["{", "fn", "impl", "trait", "extern"].contains(&next)
                        }),
                    "{at}: {line}"
                );
            }
            for macro_call in &unfinished {
                assert!(!code.contains(&**macro_call), "{at}: {line}");
            }
        }
    }
}

#[test]
fn every_flaw_that_a_test_names_exists() {
    for (seed, at) in seeds() {
        let letter = seed.chars().next().unwrap();
        let number: u32 = seed[1..].parse().unwrap();
        let known = SEEDS
            .iter()
            .any(|(known, count, _)| *known == letter && (1..=*count).contains(&number));
        assert!(known, "there is no flaw `{seed}`: {at}");
    }
}

#[test]
fn every_flaw_that_the_layers_concern_has_a_test() {
    let tested = seeds();
    let missing: Vec<_> = GUARDED
        .iter()
        .filter(|seed| !tested.contains_key(**seed))
        .collect();
    assert!(missing.is_empty(), "without a test: {missing:?}");
    let listed = read(&root().join("docs/flaws.md"));
    for seed in tested.keys() {
        let row = format!("| {} |", seed.to_uppercase());
        assert!(listed.contains(&row), "docs/flaws.md lacks `{row}`");
    }
}

#[test]
fn every_cited_requirement_exists() {
    let known = requirements();
    assert!(known.len() > 190, "found {}", known.len());
    let prefixes: BTreeSet<_> = known.iter().filter_map(|id| id.split('-').next()).collect();
    let mut unknown = Vec::new();
    for path in files(&[".rs", ".md"]) {
        let text = read(&path);
        for id in cited(&text) {
            if !known.contains(&id) {
                unknown.push(format!("{id} in {}", shown(&path)));
            }
        }
        for id in named(&text, &prefixes) {
            if !known.contains(&id) {
                unknown.push(format!("{id} in a name in {}", shown(&path)));
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "not in docs/requirements.md: {unknown:#?}"
    );
}

#[test]
fn ids_are_told_from_other_words() {
    let text = "AC-4, (TV-21) `N-3`…N-12; SEP-986 UTF-8 X-1 Last-9 eyJAC-99 AC-99x AC-1-2";
    assert!(cited(text).eq(["AC-4", "TV-21", "N-3", "N-12"]));
    let source =
        "    fn oh_2_null_is_refused() {\nasync fn n_12_x() {}\nfn at_1_x() {}\nfn oh_no() {}";
    let prefixes = BTreeSet::from(["OH", "N"]);
    assert!(named(source, &prefixes).eq(["OH-2", "N-12"]));
}

/// The flaws that tests are named after, each with one place.
fn seeds() -> BTreeMap<String, String> {
    let mut seeds = BTreeMap::new();
    for path in files(&[".rs"]) {
        for line in read(&path).lines() {
            let Some(name) = function(line) else { continue };
            // Requirement ids may stand before it, and further flaws behind: `sh_1_seed_h3_seed_h4_…`.
            for (at, _) in name.match_indices("seed_") {
                if at > 0 && !name[..at].ends_with('_') {
                    continue;
                }
                let rest = &name[at + "seed_".len()..];
                let at = format!("`{name}` in {}", shown(&path));
                let seed = rest.split('_').next().unwrap();
                let digits = seed.get(1..).unwrap_or_default();
                assert!(
                    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()),
                    "{at} has no number"
                );
                assert!(rest.len() > seed.len() + 10, "{at} says too little");
                seeds.insert(seed.to_owned(), at);
            }
        }
    }
    seeds
}

/// The ids that docs/requirements.md defines: its list entries.
fn requirements() -> BTreeSet<String> {
    read(&root().join("docs/requirements.md"))
        .lines()
        .filter_map(|line| line.strip_prefix("- **"))
        .filter_map(|line| cited(line.split("**").next()?).next())
        .collect()
}

/// What looks like an id in a text: one or two capitals, a hyphen, a number. One capital is `N`.
fn cited(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '/')))
        .filter(|word| {
            word.split_once('-').is_some_and(|(prefix, number)| {
                let capitals = prefix.bytes().all(|b| b.is_ascii_uppercase());
                let digits = (1..=2).contains(&number.len());
                (prefix == "N" || prefix.len() == 2 && capitals)
                    && digits
                    && number.bytes().all(|b| b.is_ascii_digit())
            })
        })
        .map(str::to_owned)
}

/// The ids that functions are named after: `oh_2_…` is OH-2.
fn named(source: &str, prefixes: &BTreeSet<&str>) -> impl Iterator<Item = String> {
    source.lines().filter_map(function).filter_map(|name| {
        let mut parts = name.split('_');
        let prefix = parts.next()?.to_ascii_uppercase();
        let number: u32 = parts.next()?.parse().ok()?;
        prefixes
            .contains(&*prefix)
            .then(|| format!("{prefix}-{number}"))
    })
}

/// The name of the function that a line declares.
fn function(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    before
        .split_whitespace()
        .all(|word| matches!(word, "pub" | "async" | "pub(crate)" | "pub(super)"))
        .then(|| {
            after
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()
        })?
}
