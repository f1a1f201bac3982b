//! Where the workspace's files are, and what they say.

use std::{
    fs,
    path::{Path, PathBuf},
};

use toml::Table;

/// A crate of the workspace, as its manifest describes it.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Table,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn manifest(folder: &Path) -> Table {
    let path = folder.join("Cargo.toml");
    read(&path)
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every crate in `layers/`.
pub(crate) fn layers() -> Vec<Member> {
    let mut layers: Vec<_> = entries(&root().join("layers"))
        .into_iter()
        .filter(|folder| folder.is_dir())
        .map(|folder| {
            let manifest = manifest(&folder);
            let name = manifest["package"]["name"].as_str().unwrap().to_owned();
            Member {
                name,
                folder,
                manifest,
            }
        })
        .collect();
    layers.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(layers.len() >= 5, "layers were found");
    layers
}

/// The files of the project with one of these endings, build results left out.
pub(crate) fn files(endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "files were found");
    found.sort();
    found
}

/// A path as a reader of a failure wants it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect()
}
