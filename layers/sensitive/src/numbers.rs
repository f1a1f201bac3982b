//! Numbers that mean somebody: payment cards, social security, telephones.

use std::ops::Range;

use crate::{
    Kind, Kinds,
    bytes::{ALNUM, DIGIT, is_at, is_before, run_end, slice},
};

/// Groups of digits, with one or two separators between them.
#[derive(Default)]
struct Groups {
    groups: [Group; Groups::MOST],
    count: usize,
}

#[derive(Default, Clone, Copy)]
struct Group {
    start: usize,
    end: usize,
    /// What stands before it, within the sequence; 0 of the first one.
    separator: u8,
    /// Whether that is one byte.
    is_alone: bool,
}

impl Group {
    fn len(&self) -> usize {
        self.end - self.start
    }
}

impl Groups {
    const MOST: usize = 24;

    /// Where to go on if there were more: far enough back for any number that began before.
    const AGAIN: usize = 16;

    fn read(text: &[u8], from: usize) -> (Self, usize) {
        let mut read = Self::default();
        let (mut start, mut separator, mut is_alone) = (from, 0, false);
        loop {
            let end = run_end(text, start, DIGIT);
            let Some(place) = read.groups.get_mut(read.count) else {
                let again = read
                    .groups
                    .get(Self::AGAIN)
                    .map_or(end, |group| group.start);
                return (read, again);
            };
            *place = Group {
                start,
                end,
                separator,
                is_alone,
            };
            read.count += 1;
            let Some(gap) = gap(text, end) else {
                return (read, end);
            };
            separator = text.get(end).copied().unwrap_or_default();
            (start, is_alone) = (end + gap, gap == 1);
        }
    }

    fn all(&self) -> &[Group] {
        self.groups.get(..self.count).unwrap_or_default()
    }
}

/// How many separators stand here, if a group of digits follows that goes on with the one before.
#[inline]
fn gap(text: &[u8], end: usize) -> Option<usize> {
    let is_separator = |at| matches!(text.get(at), Some(b' ' | b'-' | b'.' | b'(' | b')'));
    if !is_separator(end) {
        return None;
    }
    let gap = 1 + usize::from(is_separator(end + 1));
    is_at(text, end + gap, DIGIT).then_some(gap)
}

/// Digits of the shortest number that means somebody, however it is written.
const SHORTEST: usize = 8;

/// Where the groups of digits end that begin here, if there are too few digits in them to mean anybody.
#[inline]
fn few_end(text: &[u8], from: usize) -> Option<usize> {
    let (mut start, mut digits) = (from, 0);
    loop {
        let end = run_end(text, start, DIGIT);
        digits += end - start;
        if digits >= SHORTEST {
            return None;
        }
        match gap(text, end) {
            Some(gap) => start = end + gap,
            None => return Some(end),
        }
    }
}

/// What is found in the groups of digits that begin here, and where to go on.
pub(crate) fn numbers(
    text: &[u8],
    from: usize,
    kinds: Kinds,
    found: impl FnMut(Kind, Range<usize>),
) -> usize {
    // `v4111`, `a4111`: a part of a name or of a hash. What follows begins anew.
    if is_before(text, from, ALNUM) {
        return run_end(text, from, DIGIT);
    }
    // Most numbers are short, and nobody's.
    if let Some(end) = few_end(text, from) {
        return end;
    }
    all_numbers(text, from, kinds, found)
}

/// The same of whatever groups of digits.
fn all_numbers(
    text: &[u8],
    from: usize,
    kinds: Kinds,
    mut found: impl FnMut(Kind, Range<usize>),
) -> usize {
    let (groups, next) = Groups::read(text, from);
    let groups = groups.all();
    let mut index = 0;
    while let Some(rest) = groups.get(index..).filter(|rest| !rest.is_empty()) {
        let hit = at_start(text, rest, index == 0).filter(|(kind, _)| kinds.contain(*kind));
        let Some((kind, taken)) = hit else {
            index += 1;
            continue;
        };
        let (first, last) = (rest.first(), rest.get(taken - 1));
        if let (Some(first), Some(last)) = (first, last) {
            found(kind, first.start..last.end);
        }
        index += taken;
    }
    next
}

/// What begins with the first of these groups, and how many of them it takes.
fn at_start(text: &[u8], groups: &[Group], is_first: bool) -> Option<(Kind, usize)> {
    let first = groups.first()?;
    // Most numbers are short, and stand alone.
    if groups.len() == 1 && first.len() < SHORTEST {
        return None;
    }
    if let Some(taken) = card(text, groups) {
        return Some((Kind::Card, taken));
    }
    if is_ssn(text, groups, is_first) {
        return Some((Kind::Ssn, 3));
    }
    phone(text, groups).map(|taken| (Kind::Phone, taken))
}

/// Whether no digit, letter or dash follows that would make it a part of something longer.
fn ends(text: &[u8], groups: &[Group], taken: usize) -> bool {
    let Some(last) = groups.get(taken - 1) else {
        return false;
    };
    let is_apart = match groups.get(taken) {
        Some(next) => matches!(next.separator, b' ' | b'(' | b')') || !next.is_alone,
        None => true,
    };
    is_apart && !is_at(text, last.end, ALNUM)
}

/// How many groups a card's number takes that begins with the first one.
fn card(text: &[u8], groups: &[Group]) -> Option<usize> {
    let lengths: [usize; 5] = std::array::from_fn(|index| groups.get(index).map_or(0, Group::len));
    let taken = match lengths {
        [13..=19, ..] => 1,
        [4, 4, 4, 4, 3] => 5,
        [4, 4, 4, 4, _] => 4,
        [4, 6, 5, ..] | [4, 6, 4, ..] => 3,
        _ => return None,
    };
    let groups = groups.get(..taken)?;
    let (first, rest) = groups.split_first()?;
    let same = |group: &Group| Some(group.separator) == rest.first().map(|g| g.separator);
    let is_written_so = rest.iter().all(|group| {
        group.is_alone && same(group) && matches!(group.separator, b' ' | b'-' | b'.')
    });
    // A fraction is no card.
    let is_fraction = taken == 1 && first.separator == b'.';
    let last = groups.last()?;
    if !is_written_so || is_fraction || is_at(text, last.end, ALNUM) {
        return None;
    }
    let digits = groups
        .iter()
        .flat_map(|group| slice(text, group.start, group.end));
    let digits = digits.map(|b| u32::from(b - b'0'));
    is_card(digits).then_some(taken)
}

/// Whether the digits begin as a network's, are as many, and have the right check digit (ISO/IEC 7812).
fn is_card(digits: impl DoubleEndedIterator<Item = u32> + Clone) -> bool {
    let count = digits.clone().count();
    let begin = digits
        .clone()
        .take(4)
        .fold(0, |begin, digit| begin * 10 + digit);
    let is_networks = match begin {
        // Visa.
        4000..=4999 => matches!(count, 13 | 16 | 19),
        // Mastercard.
        5100..=5599 | 2221..=2720 => count == 16,
        // American Express.
        3400..=3499 | 3700..=3799 => count == 15,
        // Discover, UnionPay, Maestro.
        6000..=6999 => (16..=19).contains(&count),
        5000 | 5018 | 5020 | 5038 | 5600..=5899 => (13..=19).contains(&count),
        // Diners, JCB.
        3000..=3099 | 3600..=3699 | 3800..=3899 => (14..=16).contains(&count),
        3528..=3589 => count == 16,
        _ => false,
    };
    let sum = digits.rev().enumerate().fold(0, |sum, (index, digit)| {
        let doubled = if index % 2 == 1 { digit * 2 } else { digit };
        sum + doubled / 10 + doubled % 10
    });
    is_networks && sum % 10 == 0
}

/// Three, two and four digits with dashes, of which none is all zeros.
fn is_ssn(text: &[u8], groups: &[Group], is_first: bool) -> bool {
    let [area, group, serial, ..] = groups else {
        return false;
    };
    let is_dashed = |group: &Group| group.is_alone && group.separator == b'-';
    let digits = |group: &Group| slice(text, group.start, group.end);
    let is_apart = match is_first {
        true => !is_before_dash(text, area.start),
        false => area.separator == b' ',
    };
    (area.len(), group.len(), serial.len()) == (3, 2, 4)
        && is_dashed(group)
        && is_dashed(serial)
        && is_apart
        && !matches!(digits(area), b"000" | b"666" | [b'9', ..])
        && digits(group) != b"00"
        && digits(serial) != b"0000"
        && ends(text, groups, 3)
        && text.get(serial.end) != Some(&b'-')
}

fn is_before_dash(text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    matches!(before, Some(b'-' | b'.'))
}

/// How many groups a telephone's number takes.
fn phone(text: &[u8], groups: &[Group]) -> Option<usize> {
    let first = groups.first()?;
    let before = |back: usize| first.start.checked_sub(back).and_then(|at| text.get(at));
    if before(1) == Some(&b'+') && !is_before(text, first.start - 1, ALNUM) {
        return international(text, groups);
    }
    let country = usize::from(slice(text, first.start, first.end) == b"1");
    let of_america = groups.get(country..)?;
    let [area, exchange, line, ..] = of_america else {
        return None;
    };
    let is_2_to_9 = |group: &Group| matches!(text.get(group.start), Some(b'2'..=b'9'));
    let is_long = (area.len(), exchange.len(), line.len()) == (3, 3, 4);
    if !is_long || !is_2_to_9(area) || !is_2_to_9(exchange) {
        return None;
    }
    let is_bracketed = exchange.separator == b')';
    let is_alike = exchange.is_alone && exchange.separator == line.separator;
    // With spaces alone it may be three numbers.
    let is_told = is_bracketed || country == 1;
    let is_plain = match line.separator {
        b'-' | b'.' => line.is_alone,
        b' ' => line.is_alone && is_told,
        _ => false,
    };
    let joined = country == 0 && first.separator != b' ' && first.separator != b'(';
    let is_part = (first.separator != 0 && joined && first.is_alone)
        || (first.separator == 0 && !is_bracketed && is_before_dash(text, first.start));
    let taken = country + 3;
    let is_phone = (is_bracketed || is_alike) && is_plain && !is_part && ends(text, groups, taken);
    is_phone.then_some(taken)
}

/// As many groups as make 8 to 15 digits (E.164).
fn international(text: &[u8], groups: &[Group]) -> Option<usize> {
    let (mut digits, mut taken) = (0, 0_usize);
    for group in groups {
        if digits + group.len() > 15 || (digits >= 10 && group.len() > 4) {
            break;
        }
        digits += group.len();
        taken += 1;
    }
    let last = groups.get(taken.checked_sub(1)?)?;
    (digits >= 8 && !is_at(text, last.end, ALNUM)).then_some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Told = (usize, Vec<(Kind, Range<usize>)>);

    fn told(
        text: &str,
        of: fn(&[u8], usize, Kinds, &mut dyn FnMut(Kind, Range<usize>)) -> usize,
    ) -> Vec<Told> {
        let (text, mut from, mut told) = (text.as_bytes(), 0, Vec::new());
        while let Some(digit) = text
            .get(from..)
            .and_then(|rest| rest.iter().position(u8::is_ascii_digit))
        {
            let mut found = Vec::new();
            from = of(text, from + digit, Kinds::all(), &mut |kind, range| {
                found.push((kind, range));
            });
            told.push((from, found));
        }
        told
    }

    proptest! {
        #[test]
        fn numbers_of_few_digits_are_nobodys(
            text in "[0-9]{0,3}([ .()+-]{1,3}[0-9]{1,4}){0,9}|[0-9 .()+a-]{0,40}|[+]?1?[ (]{0,2}[2-9]{3}[ )-]{1,2}[2-9]{3}[ .-][0-9]{4}|[4 -]{19}",
        ) {
            let short = told(&text, |text, from, kinds, found| numbers(text, from, kinds, found));
            let plain = told(&text, |text, from, kinds, found| match is_before(text, from, ALNUM) {
                true => run_end(text, from, DIGIT),
                false => all_numbers(text, from, kinds, found),
            });
            prop_assert_eq!(short, plain);
        }
    }
}
