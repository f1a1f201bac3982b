use std::{hint::black_box, time::Duration};

use bartizan_sensitive::{Finder, Kinds, Redactor};

/// What makes a careless search begin again at every byte.
const ADVERSARIAL: &[&str] = &[
    "a",
    "@",
    "a@",
    "a.",
    "1",
    "1-",
    "1 ",
    "12 3",
    "4111 ",
    "eyJ",
    "eyJ-",
    "eyJ.",
    "eyJa.eyJb.",
    "sk-",
    "sk_",
    "sk-sk_eyJ",
    "ghp_",
    "AKIA",
    "://",
    "://a:",
    "a:b@",
    "http://a:b",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN ",
    "-",
    "bearer ",
    "basic a",
    "password=",
    "password:\"",
    "password=***",
    "token=",
    "token:{",
    "token:[",
    "=",
    ":",
    ":=",
    "a=",
    "cookie: ",
    "\\",
    "\\u0040",
    "%40",
    "%",
    "\\\\u",
    "YW5uQGV4YW1wbGUuY29t",
    "_",
    "acme_live_",
    "\"",
    "(",
    "+1 ",
    "é",
    "xoxb-1-",
    "SG.aaaaaaaa1.",
];

/// The least of some times, which what else the machine does only makes more.
fn least(mut run: impl FnMut()) -> Duration {
    let time = |_| {
        let begun = spent();
        run();
        spent() - begun
    };
    (0..3).map(time).min().unwrap()
}

/// What this thread has computed, however long it waited.
#[cfg(unix)]
fn spent() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

#[cfg(not(unix))]
fn spent() -> Duration {
    static BEGUN: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    BEGUN.elapsed()
}

fn assert_linear(name: &str, run: impl Fn(&str)) {
    const SMALL: usize = 4 << 10;
    const TIMES: u32 = 16;
    for piece in ADVERSARIAL {
        let small = piece.repeat(SMALL / piece.len());
        let large = small.repeat(TIMES as usize);
        // Once is warm, and a machine that was interrupted all the time gets further chances.
        let is_linear = (0..4).any(|_| {
            let (small, large) = (least(|| run(&small)), least(|| run(&large)));
            // Quadratic would be 256 times as much.
            large < small * TIMES * 3 + Duration::from_micros(200)
        });
        assert!(is_linear, "{name}: {piece:?}");
    }
}

#[test]
fn finding_takes_time_as_the_text_is_long_whatever_it_is() {
    let finder = Finder::new(&Kinds::all());
    assert_linear("find", |text| {
        black_box(finder.find(text).len());
    });
}

#[test]
fn redacting_takes_time_as_the_json_is_long_whatever_it_is() {
    let redactor = Redactor::new().bytes(1 << 20).unwrap();
    let mut json = String::new();
    assert_linear("redact", |text| {
        let mut out = Vec::new();
        let text = serde_json::to_string(text).unwrap();
        black_box(redactor.redact(text.as_bytes(), &mut out));
    });
    for piece in [
        "[",
        "{\"a\":",
        "[1,",
        "\"",
        "{\"password\":[",
        "[\"{\\\"a\\\":",
    ] {
        json.clear();
        json.push_str(&piece.repeat((1 << 20) / piece.len()));
        let mut out = Vec::new();
        let begun = spent();
        redactor.redact(json.as_bytes(), &mut out);
        assert!(spent() - begun < Duration::from_secs(5), "{piece}");
    }
}
