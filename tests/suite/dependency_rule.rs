//! Layers know the vocabulary, not each other.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::workspace::{Member, files, layers, manifest, read, root};

const VOCABULARY: &str = "bartizan-core";

/// What a layer may name in its types only for those who ask for it.
const HOSTS: &[&str] = &["axum", "axum-core", "axum-extra", "rmcp"];

/// A normal or build dependency, under the name of its package.
struct Dependency {
    package: String,
    optional: bool,
}

#[test]
fn no_layer_depends_on_another_layer() {
    let layers = layers();
    let exporting: BTreeSet<_> = layers
        .iter()
        .filter(|member| member.name != VOCABULARY && exports_a_layer(member))
        .map(|member| member.name.as_str())
        .collect();
    let first = ["headers", "cors", "network", "jwt"].map(|name| format!("bartizan-{name}"));
    for name in &first {
        assert!(exporting.contains(&**name), "`{name}` exports no layer");
    }
    for member in layers.iter().filter(|m| exporting.contains(&*m.name)) {
        for dependency in dependencies(&member.manifest) {
            assert!(
                !exporting.contains(&*dependency.package),
                "`{}` depends on `{}`, which exports a layer too",
                member.name,
                dependency.package
            );
            assert_ne!(dependency.package, "bartizan", "{}", member.name);
        }
    }
}

#[test]
fn the_vocabulary_depends_on_no_crate_of_the_family() {
    let layers = layers();
    let core = layers.iter().find(|m| m.name == VOCABULARY).unwrap();
    for dependency in dependencies(&core.manifest) {
        assert!(
            !dependency.package.starts_with("bartizan"),
            "`{VOCABULARY}` depends on `{}`",
            dependency.package
        );
    }
}

#[test]
fn the_test_kit_is_nobodys_dependency_but_the_tests() {
    for member in layers() {
        for dependency in dependencies(&member.manifest) {
            assert_ne!(dependency.package, "bartizan-kit", "{}", member.name);
        }
    }
    for dependency in dependencies(&manifest(root())) {
        assert_ne!(dependency.package, "bartizan-kit");
    }
}

#[test]
fn types_of_axum_and_rmcp_come_only_with_a_feature() {
    for member in layers() {
        for dependency in dependencies(&member.manifest) {
            if HOSTS.contains(&&*dependency.package) {
                assert!(
                    dependency.optional,
                    "`{}` depends on `{}` without a feature",
                    member.name, dependency.package
                );
            }
        }
    }
}

#[test]
fn every_layer_is_a_default_member() {
    let workspace = manifest(root());
    let listed: BTreeSet<_> = workspace["workspace"]["default-members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member.as_str().unwrap())
        .collect();
    assert!(listed.contains("."), "the facade");
    assert!(listed.contains("tests/kit"), "the test kit");
    for member in layers() {
        let folder = member.folder.file_name().unwrap().to_str().unwrap();
        let path = format!("layers/{folder}");
        assert!(listed.contains(&*path), "`{path}` is no default member");
        assert_eq!(member.name, format!("bartizan-{folder}"));
    }
}

#[test]
fn every_crate_has_readme_licence_and_the_workspaces_lints() {
    let mut members = layers();
    members.push(Member {
        name: "bartizan".to_owned(),
        folder: root().to_owned(),
        manifest: manifest(root()),
    });
    for member in members {
        let package = member.manifest["package"].as_table().unwrap();
        let inherits = |key: &str| is_true(package.get(key), "workspace");
        let name = &member.name;
        assert!(read(&member.folder.join("README.md")).len() > 200, "{name}");
        assert_eq!(package["readme"].as_str(), Some("README.md"), "{name}");
        assert!(
            package["description"].as_str().unwrap().len() > 20,
            "{name}"
        );
        for key in ["license", "version", "edition", "rust-version"] {
            assert!(inherits(key), "`{name}` has a `{key}` of its own");
        }
        assert!(
            is_true(member.manifest.get("lints"), "workspace"),
            "`{name}` has lints of its own"
        );
    }
}

#[test]
fn the_family_is_pinned_to_one_version() {
    let workspace = manifest(root());
    let version = workspace["workspace"]["package"]["version"]
        .as_str()
        .unwrap();
    let shared = workspace["workspace"]["dependencies"].as_table().unwrap();
    for member in layers() {
        assert_eq!(
            shared[&member.name]["version"].as_str(),
            Some(&*format!("={version}")),
            "{}",
            member.name
        );
    }
}

#[test]
fn a_renamed_or_targeted_dependency_is_seen() {
    let table: Table = r#"
        [dependencies]
        plain = "1"
        alias = { package = "bartizan-cors", path = "../cors", optional = true }
        [build-dependencies]
        bartizan-jwt.path = "../jwt"
        [target.'cfg(unix)'.dependencies]
        bartizan-headers.workspace = true
        [dev-dependencies]
        bartizan-network.workspace = true
    "#
    .parse()
    .unwrap();
    let seen: BTreeMap<_, _> = dependencies(&table)
        .into_iter()
        .map(|d| (d.package, d.optional))
        .collect();
    let expected = [
        ("bartizan-cors", true),
        ("bartizan-headers", false),
        ("bartizan-jwt", false),
        ("plain", false),
    ];
    assert!(seen.iter().map(|(name, o)| (&**name, *o)).eq(expected));
}

fn exports_a_layer(member: &Member) -> bool {
    let source = member.folder.join("src");
    files(&[".rs"])
        .iter()
        .filter(|path| path.starts_with(&source))
        .flat_map(|path| read(path).lines().map(str::to_owned).collect::<Vec<_>>())
        .any(|line| {
            let declared = |keyword: &str| {
                line.trim_start().strip_prefix(keyword).is_some_and(|rest| {
                    let name = |c: char| c.is_alphanumeric() || c == '_';
                    rest.split(|c| !name(c)).next().unwrap().ends_with("Layer")
                })
            };
            (line.starts_with("impl") && line.contains("Layer<") && line.contains(" for "))
                || declared("pub struct ")
                || declared("pub type ")
        })
}

/// Normal and build dependencies, those for one target included.
fn dependencies(manifest: &Table) -> Vec<Dependency> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(Table::values);
    std::iter::once(manifest)
        .chain(targets.filter_map(Value::as_table))
        .flat_map(|table| [table.get("dependencies"), table.get("build-dependencies")])
        .flatten()
        .filter_map(Value::as_table)
        .flatten()
        .map(|(key, value)| Dependency {
            package: package(key, value),
            optional: is_true(Some(value), "optional"),
        })
        .collect()
}

fn package(key: &str, value: &Value) -> String {
    let renamed = |value: &Value| Some(value.get("package")?.as_str()?.to_owned());
    let shared = || {
        let workspace = manifest(root());
        renamed(workspace["workspace"]["dependencies"].get(key)?)
    };
    renamed(value)
        .or_else(|| is_true(Some(value), "workspace").then(shared).flatten())
        .unwrap_or_else(|| key.to_owned())
}

fn is_true(value: Option<&Value>, key: &str) -> bool {
    value.and_then(|value| value.get(key)) == Some(&Value::Boolean(true))
}
