use bartizan_core::Secret;

use super::*;
use BadKind::*;

fn keys() -> ChainKeys {
    ChainKeys::new(1, &vec![7; 32].into(), &vec![9; 32].into()).unwrap()
}

fn macs_alone() -> VerifyKeys {
    let key = Secret::from(vec![7; 32]);
    VerifyKeys::new().and_mac(1, &key).unwrap()
}

fn public_alone() -> VerifyKeys {
    let key = keys().public_key();
    VerifyKeys::new().and_public_key(key).unwrap()
}

/// A log of so many short records, each third line a checkpoint, and its last head.
fn log(records: u64) -> (Vec<Vec<u8>>, Head) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let file = RotatingFile::open(&path).unwrap();
    let chain = Chain::over(file, keys()).unwrap();
    let mut chain = chain.checkpoints(2, Duration::from_secs(60)).unwrap();
    for record in 0..records {
        chain.push(format!("{{\"n\":{record}}}").as_bytes());
    }
    let head = chain.fresh.clone().unwrap();
    chain.commit(Commit::Written).unwrap();
    let text = std::fs::read(path).unwrap();
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    (lines.map(<[u8]>::to_vec).collect(), head)
}

fn judged(lines: &[Vec<u8>], keys: &VerifyKeys, head: Option<&Head>) -> Report {
    verify([lines.concat().as_slice()], keys, head).unwrap()
}

fn kind(lines: &[Vec<u8>]) -> Option<(u64, BadKind)> {
    let bad = judged(lines, &macs_alone(), None).bad?;
    Some((bad.line, bad.kind))
}

#[test]
fn what_was_written_verifies_with_each_key_and_each_line_is_an_object() {
    let (lines, head) = log(6);
    assert_eq!(lines.len(), 10);
    for keys in [
        keys().verifying(),
        macs_alone(),
        public_alone(),
        VerifyKeys::new(),
    ] {
        let report = judged(&lines, &keys, Some(&head));
        assert_eq!(report.bad, None);
        assert_eq!((report.lines, report.checkpoints), (10, 4));
        assert_eq!((report.first, report.last), (Some(1), Some(10)));
        let signed = keys.has_public().then_some(9);
        assert_eq!(report.signed, signed);
    }
    for (line, seq) in lines.iter().zip(1..) {
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!(line["chain"]["seq"], seq);
    }
    assert_eq!(head.to_string().parse(), Ok(head));
}

#[test]
fn each_bit_that_is_flipped_and_each_byte_that_ends_a_line_is_found_in_its_line() {
    alter(|was| {
        let flipped = (0..8).map(move |bit| was ^ 1 << bit);
        flipped.chain([b'\n']).collect()
    });
}

#[test]
#[ignore = "takes a minute; the test above tries each flipped bit and each line's end of the same log"]
fn each_alteration_of_a_single_byte_is_found_in_its_line() {
    alter(|_| (0..=u8::MAX).collect());
}

fn alter(bytes: impl Fn(u8) -> Vec<u8>) {
    let (lines, _) = log(3);
    let whole = lines.concat();
    let keys = macs_alone();
    let mut line_of = Vec::new();
    for (line, number) in lines.iter().zip(1..) {
        line_of.extend(line.iter().map(|_| number));
    }
    for at in 0..whole.len() {
        let mut altered = whole.clone();
        for byte in bytes(whole[at])
            .into_iter()
            .filter(|byte| *byte != whole[at])
        {
            altered[at] = byte;
            let bad = verify([altered.as_slice()], &keys, None).unwrap().bad;
            let found = bad.map(|bad| bad.line);
            assert_eq!(found, Some(line_of[at]), "byte {at} is {byte}");
        }
    }
}

#[test]
fn the_public_key_alone_finds_each_altered_byte_of_what_is_signed_but_for_macs() {
    let (lines, _) = log(2);
    let whole = lines.concat();
    // The last line is the checkpoint, whose own hash nothing signs yet.
    let signed = whole.len() - lines.last().unwrap().len();
    let is_mac = |at: usize| {
        let end = at + whole[at..].iter().position(|byte| *byte == b'\n').unwrap();
        (end - 35..end - 3).contains(&at)
    };
    for at in (0..signed).filter(|at| !is_mac(*at)) {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        let report = verify([altered.as_slice()], &public_alone(), None).unwrap();
        assert!(!report.is_good(), "byte {at}");
    }
}

#[test]
fn seed_u13_each_line_that_is_removed_doubled_or_swapped_is_found() {
    let (lines, head) = log(6);
    for at in 0..lines.len() {
        let line = u64::try_from(at).unwrap() + 1;
        let mut removed = lines.clone();
        removed.remove(at);
        if at + 1 < lines.len() {
            assert_eq!(kind(&removed), Some((line, Missing)), "{at}");
        }
        let with_head = judged(&removed, &macs_alone(), Some(&head));
        let is_after_head = line > head.seq();
        assert_eq!(with_head.is_good(), is_after_head && at + 1 == lines.len());
        for to in 0..=lines.len() {
            let mut doubled = lines.clone();
            doubled.insert(to, lines[at].clone());
            let found = kind(&doubled).unwrap();
            assert!(
                matches!(found.1, Inserted | Reordered),
                "{at} {to} {found:?}"
            );
        }
        for other in at + 1..lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at, other);
            assert_eq!(kind(&swapped), Some((line, Reordered)), "{at} {other}");
        }
    }
    let mut forged = lines.clone();
    forged.insert(3, b"{\"n\":9}\n".to_vec());
    assert_eq!(kind(&forged), Some((4, Inserted)));
}

#[test]
fn what_was_cut_off_is_found_by_its_head_alone_and_half_a_line_without() {
    let (lines, head) = log(6);
    let keys = keys().verifying();
    let cut = &lines[..5];
    assert!(judged(cut, &keys, None).is_good());
    let bad = judged(cut, &keys, Some(&head)).bad.unwrap();
    assert_eq!((bad.line, bad.expected, bad.kind), (6, 6, Truncated));
    let mut torn = lines.clone();
    torn.last_mut().unwrap().pop();
    assert_eq!(kind(&torn), Some((10, TornTail)));
}

#[test]
fn a_line_that_is_longer_than_any_is_no_torn_tail_and_what_follows_is_looked_at() {
    let (lines, head) = log(6);
    for bytes in [64 << 10, 200_000] {
        let long = [&vec![b'x'; bytes][..], b"\n"].concat();
        let mut inserted = lines.clone();
        inserted.insert(4, long.clone());
        assert_eq!(kind(&inserted), Some((5, Inserted)), "{bytes}");
        let mut replaced = lines.clone();
        replaced[4] = long.clone();
        assert_eq!(kind(&replaced), Some((5, Altered)), "{bytes}");
        let mut last = lines.clone();
        last[9] = long.clone();
        assert_eq!(kind(&last), Some((10, Altered)), "{bytes}");
        // It counts as one line.
        let mut twice = lines.clone();
        twice.splice(2..2, [long.clone(), long.clone()]);
        let bad = judged(&twice, &macs_alone(), Some(&head)).bad.unwrap();
        assert_eq!((bad.line, bad.expected, bad.kind), (3, 3, Inserted));
        // Without an end it has none, however long it is.
        let mut torn = lines.clone();
        torn[9] = vec![b'x'; bytes];
        assert_eq!(kind(&torn), Some((10, TornTail)), "{bytes}");
    }
}

#[test]
fn who_has_no_key_of_macs_but_rewrites_all_hashes_is_found_by_either_key() {
    let (lines, _) = log(6);
    // As the log's owner, with keys of their own.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let others = ChainKeys::new(1, &vec![1; 32].into(), &vec![2; 32].into()).unwrap();
    let mut chain = Chain::over(RotatingFile::open(&path).unwrap(), others).unwrap();
    chain.push(b"{\"n\":0}");
    chain.commit(Commit::Written).unwrap();
    let forged = std::fs::read(&path).unwrap();
    let judge = |keys: &VerifyKeys| verify([forged.as_slice()], keys, None).unwrap().bad;
    assert_eq!(judge(&VerifyKeys::new()), None);
    assert_eq!(judge(&macs_alone()).unwrap().kind, Altered);
    assert_eq!(judge(&public_alone()).unwrap().kind, BadCheckpoint);
    drop(chain);
    // Nor does the server go on with it.
    assert!(Chain::over(RotatingFile::open(&path).unwrap(), keys()).is_err());
    std::fs::write(&path, lines.concat()).unwrap();
    assert!(Chain::over(RotatingFile::open(&path).unwrap(), keys()).is_ok());
}

#[test]
fn with_the_machines_keys_a_log_can_be_written_anew_but_not_against_a_head_kept_elsewhere() {
    let (lines, head) = log(6);
    let (mut anew, _) = log(6);
    assert!(judged(&anew, &keys().verifying(), None).is_good());
    // It differs by the time of its signatures at least.
    if anew != lines {
        let bad = judged(&anew, &keys().verifying(), Some(&head)).bad.unwrap();
        assert_eq!(bad.kind, Rewritten);
    }
    anew.truncate(3);
    let bad = judged(&anew, &keys().verifying(), Some(&head)).bad.unwrap();
    assert_eq!(bad.kind, Truncated);
    let (_, mut forged) = log(2);
    forged.hash = [1; 32];
    let bad = judged(&lines, &keys().verifying(), Some(&forged))
        .bad
        .unwrap();
    assert_eq!(bad.kind, BadHead);
}

#[test]
fn a_head_from_before_the_first_line_given_vouches_for_nothing() {
    // Whoever has the machine's keys can begin anywhere, behind the newest head that was kept elsewhere too.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (_, kept) = log(6);
    let mut chain = Chain::over(RotatingFile::open(&path).unwrap(), keys()).unwrap();
    (chain.seq, chain.hash) = (kept.seq() + 1, [3; 32]);
    chain.push(b"{\"n\":9}");
    chain.commit(Commit::Written).unwrap();
    let anew = std::fs::read(&path).unwrap();
    let judge = |head| verify([anew.as_slice()], &keys().verifying(), head).unwrap();
    assert!(judge(None).is_good());
    let bad = judge(Some(&kept)).bad.unwrap();
    assert_eq!((bad.file, bad.line, bad.kind), (1, 1, Missing));
    assert_eq!(
        (bad.expected, bad.found),
        (kept.seq() + 1, Some(kept.seq() + 2))
    );
}

#[test]
fn rotation_and_restart_go_on_with_the_chain_and_a_missing_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    for round in 0..6 {
        let file = RotatingFile::open(&path).unwrap().rotate_at(4096).unwrap();
        let mut chain = Chain::over(file, keys()).unwrap();
        for record in 0..10 {
            chain.push(format!("{{\"round\":{round},\"n\":{record}}}").as_bytes());
            chain.commit(Commit::Written).unwrap();
        }
        if round % 2 == 0 {
            chain.end();
            chain.commit(Commit::Written).unwrap();
        }
    }
    let names = ["log.000001", "log.000002", "log.000003", "log"];
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let files: Vec<_> = names.map(read).into();
    let judge = |files: &[Vec<u8>]| {
        let files = files.iter().map(Vec::as_slice);
        verify(files, &keys().verifying(), None).unwrap()
    };
    let report = judge(&files);
    assert_eq!(report.bad, None);
    assert_eq!(report.lines - report.checkpoints, 60);
    // Alone each verifies from where it begins.
    let report = judge(&files[1..]);
    assert!(report.is_good() && report.first > Some(1));
    let bad = judge(&[&files[..1], &files[2..]].concat()).bad.unwrap();
    assert_eq!((bad.file, bad.line, bad.kind), (2, 1, Missing));
}

#[test]
fn a_setting_out_of_range_names_itself() {
    let folder = tempfile::tempdir().unwrap();
    let chain = || {
        let path = folder.path().join("log");
        Chain::over(RotatingFile::open(path).unwrap(), keys()).unwrap()
    };
    let error = chain().checkpoints(0, Duration::from_secs(1)).unwrap_err();
    assert!(error.to_string().contains("`0`"), "{error}");
    let error = chain().checkpoints(1, Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("0ns"), "{error}");
    let short = Secret::from(vec![1; 31]);
    let long = Secret::from(vec![1; 32]);
    assert!(ChainKeys::new(1, &short, &long).is_err());
    assert!(ChainKeys::new(1, &long, &short).is_err());
    assert!(keys().and_older(1, &long).is_err());
    assert!(VerifyKeys::new().and_public_key([0; 32]).is_err());
    let device = RotatingFile::open("/dev/null").unwrap();
    let error = Chain::over(device, keys()).unwrap_err().to_string();
    assert!(error.contains("/dev/null"), "{error}");
}
