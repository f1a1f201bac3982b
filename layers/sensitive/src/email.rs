use std::ops::Range;

use crate::bytes::{ALNUM, LOCAL, is, is_at, run_start, slice};

/// The address around an `@`, if there is one.
pub(crate) fn email(text: &[u8], at: usize) -> Option<Range<usize>> {
    let mut start = run_start(text, at, LOCAL);
    // A sentence's dots and quotes are not part of it.
    while start < at && matches!(text.get(start), Some(b'.' | b'\'' | b'-' | b'%' | b'+')) {
        start += 1;
    }
    // A remote of Git, which names nobody.
    if start == at || slice(text, start, at) == b"git" {
        return None;
    }
    Some(start..domain_end(text, at + 1)?)
}

/// Where the domain ends that begins here: labels, and a top level of letters.
fn domain_end(text: &[u8], from: usize) -> Option<usize> {
    let mut end = None;
    let mut label = from;
    loop {
        let stop = label_end(text, label);
        if stop == label {
            return end;
        }
        if label > from {
            let top = slice(text, label, stop);
            let is_top =
                top.len() >= 2 && top.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80);
            let is_puny = top.starts_with(b"xn--");
            if is_top || is_puny {
                end = Some(stop);
            } else {
                end = None;
            }
        }
        if text.get(stop) != Some(&b'.') || !is_label(text, stop + 1) {
            return end;
        }
        label = stop + 1;
    }
}

fn is_label(text: &[u8], at: usize) -> bool {
    is_at(text, at, ALNUM) || text.get(at).is_some_and(|b| *b >= 0x80)
}

fn label_end(text: &[u8], from: usize) -> usize {
    let mut end = from;
    while let Some(b) = text.get(end) {
        if !(is(*b, ALNUM) || *b == b'-' || *b >= 0x80) {
            break;
        }
        end += 1;
    }
    // A dash ends no label.
    while end > from && text.get(end - 1) == Some(&b'-') {
        end -= 1;
    }
    end
}
