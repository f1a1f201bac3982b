//! What is read of a file that others write, rotate and cut.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{
    append,
    watch::tail::{MOST_LINE, Seen, Tail},
};

struct Scene {
    folder: TempDir,
    tail: Tail,
}

impl Scene {
    fn new(content: &str, last: Option<usize>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, content);
        Self {
            tail: Tail::new(&path, last),
            folder,
        }
    }

    fn path(&self) -> PathBuf {
        self.named("log")
    }

    fn named(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// As `RotatingFile` does it: at no time is there none of the name.
    fn rotate(&self, number: u32) {
        fs::hard_link(self.path(), self.named(&format!("log.{number:06}"))).unwrap();
        fs::write(self.named("log.new"), "").unwrap();
        fs::rename(self.named("log.new"), self.path()).unwrap();
    }

    /// All that is to be seen now.
    fn seen(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        let mut take = |seen: Seen<'_>| {
            all.push(match seen {
                Seen::Line(line) => String::from_utf8(line.to_vec()).unwrap(),
                other => format!("{other:?}"),
            });
        };
        while self.tail.poll(&mut take).unwrap() {}
        all
    }
}

#[test]
fn a_torn_line_is_taken_when_it_is_whole() {
    let mut scene = Scene::new("one\ntw", None);
    assert_eq!(scene.seen(), ["one"]);
    assert_eq!(scene.seen(), [""; 0]);
    append(&scene.path(), "o");
    assert_eq!(scene.seen(), [""; 0]);
    append(&scene.path(), "\nthree\n");
    assert_eq!(scene.seen(), ["two", "three"]);
}

#[test]
fn a_torn_line_that_is_cut_off_after_a_crash_gives_way_to_the_next() {
    let mut scene = Scene::new("one\ntorn by a cr", None);
    assert_eq!(scene.seen(), ["one"]);
    fs::write(scene.path(), "one\n").unwrap();
    append(&scene.path(), "two, which is longer than what was torn\n");
    assert_eq!(scene.seen(), ["two, which is longer than what was torn"]);
}

#[test]
fn every_file_is_read_however_often_it_was_rotated_meanwhile() {
    let mut scene = Scene::new("one\n", None);
    fs::write(scene.named("log.000001"), "older\n").unwrap();
    fs::write(scene.named("log.000009.gz"), "not one of them").unwrap();
    assert_eq!(scene.seen(), ["one"]);
    append(&scene.path(), "two\n");
    scene.rotate(2);
    append(&scene.path(), "three\n");
    scene.rotate(3);
    scene.rotate(4);
    append(&scene.path(), "four\n");
    assert_eq!(
        scene.seen(),
        ["two", "Rotated", "three", "Rotated", "Rotated", "four"]
    );
    append(&scene.path(), "fi");
    scene.rotate(5);
    assert_eq!(scene.seen(), ["Torn(2)", "Rotated"]);
}

#[test]
fn a_file_that_another_takes_the_place_of_is_told_of() {
    let mut scene = Scene::new("one\n", None);
    assert_eq!(scene.seen(), ["one"]);
    fs::remove_file(scene.path()).unwrap();
    assert_eq!(scene.seen(), [""; 0]);
    append(&scene.path(), "two\n");
    assert_eq!(scene.seen(), ["Replaced", "two"]);
}

#[test]
fn a_file_that_becomes_shorter_is_read_anew_and_that_is_told() {
    let mut scene = Scene::new("one\ntwo\n", None);
    assert_eq!(scene.seen(), ["one", "two"]);
    fs::write(scene.path(), "new\n").unwrap();
    assert_eq!(scene.seen(), ["Cut", "new"]);
}

#[test]
fn a_file_that_is_not_there_is_waited_for_and_read_whole() {
    let mut scene = Scene::new("", None);
    fs::remove_file(scene.path()).unwrap();
    scene.tail = Tail::new(&scene.path(), Some(1));
    assert_eq!(scene.seen(), ["Absent"]);
    assert_eq!(scene.seen(), [""; 0]);
    append(&scene.path(), "one\ntwo\n");
    assert_eq!(scene.seen(), ["one", "two"]);
}

#[test]
fn a_line_that_is_too_long_is_told_of_and_what_follows_is_read() {
    let long = |bytes: usize| "x".repeat(bytes);
    let mut scene = Scene::new("", None);
    assert_eq!(scene.seen(), [""; 0]);
    // Beyond one that fits the buffer, and beyond what is read in one go.
    for (bytes, is_line) in [
        (MOST_LINE, true),
        (MOST_LINE + 1, false),
        (3 << 17, false),
        (5 << 20, false),
    ] {
        append(&scene.path(), &format!("before\n{}\nafter\n", long(bytes)));
        let told = match is_line {
            true => long(bytes),
            false => format!("TooLong({bytes})"),
        };
        assert!(scene.seen() == ["before", &told, "after"], "{bytes}");
    }
    // Bit by bit.
    append(&scene.path(), &long(MOST_LINE + 9));
    assert_eq!(scene.seen(), [""; 0]);
    append(&scene.path(), &long(5));
    assert_eq!(scene.seen(), [""; 0]);
    append(&scene.path(), "\nafter\n");
    assert_eq!(
        scene.seen(),
        [format!("TooLong({})", MOST_LINE + 14), "after".to_owned()]
    );
}

#[test]
fn the_last_lines_are_those_before_the_end_wherever_it_is_read() {
    let lines: Vec<String> = (0..9000)
        .map(|n| format!("{n} {}", "y".repeat(n % 97)))
        .collect();
    let text = lines.join("\n") + "\n";
    for last in [0, 1, 2, 20, 5000, 8999, 9000, 20000] {
        let mut scene = Scene::new(&text, Some(last));
        let seen = scene.seen();
        assert!(
            seen == lines[lines.len().saturating_sub(last)..],
            "{last}: {}",
            seen.len()
        );
    }
    let mut scene = Scene::new("one\ntwo\ntor", Some(1));
    assert_eq!(scene.seen(), ["two"]);
    append(&scene.path(), "n\n");
    assert_eq!(scene.seen(), ["torn"]);
    let mut scene = Scene::new("", Some(3));
    assert_eq!(scene.seen(), [""; 0]);
}

#[test]
fn a_pipe_in_its_place_is_refused_instead_of_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut tail = Tail::new(Path::new("/dev/null"), None);
    assert!(tail.poll(&mut |_| ()).is_err());
    let mut tail = Tail::new(folder.path(), None);
    assert!(tail.poll(&mut |_| ()).is_err());
}
