//! The records that a job is fed, and what must therefore come out of it: each is known by its number.
//! Core: values only.

use std::collections::BTreeMap;

use crate::crash::dice::Dice;
use crate::failure::{Outcome, fail};

const KEY_COUNT: usize = 100;
const AMOUNT_MAX: usize = 1_000;
/// How many of what is wrong a failure names.
const NAMED_MAX: usize = 5;

/// All lines have this length, the end of the line not counted.
pub(crate) const LINE_BYTES: usize = "r0000000,k00,0000".len();

/// The record that a broker which lies keeps to itself.
pub(crate) const HIDDEN: usize = 700;

/// So many lines `id,key,amount`.
pub(crate) fn lines(dice: &mut Dice, count: usize) -> Vec<String> {
    let line =
        |id| format!("{},k{:02},{:04}", name(id), dice.between(0, KEY_COUNT), dice.between(1, AMOUNT_MAX));
    (0..count).map(line).collect()
}

/// How record `id` begins, in every line that is made of it.
pub(crate) fn name(id: usize) -> String {
    format!("r{id:07}")
}

/// A line that came out: the id, the key, and a number (the amount, or a sum).
fn parse(line: &str) -> Option<(usize, &str, u64)> {
    let mut words = line.split(',');
    let id = words.next()?.strip_prefix('r')?.parse().ok()?;
    let (key, number) = (words.next()?, words.next()?.parse().ok()?);
    words.next().is_none().then_some((id, key, number))
}

pub(crate) fn amount(line: &str) -> Option<u64> {
    parse(line).map(|(_, _, amount)| amount)
}

/// What the amounts of each key come to.
pub(crate) fn sums(lines: &[String]) -> BTreeMap<&str, u64> {
    let mut sums = BTreeMap::new();
    for (_, key, amount) in lines.iter().filter_map(|line| parse(line)) {
        *sums.entry(key).or_default() += amount;
    }
    sums
}

/// Each line that went in must have come out exactly once, in any order.
pub(crate) fn check_once<'a>(
    what: &str,
    lines: &[String],
    found: impl Iterator<Item = &'a str>,
) -> Outcome<()> {
    let mut counts = vec![0_u32; lines.len()];
    for line in found {
        let Some((id, _, _)) = parse(line) else { return fail(format!("{what}: {line:?} was never fed")) };
        match counts.get_mut(id) {
            Some(count) if lines[id] == line => *count += 1,
            _ => return fail(format!("{what}: {line:?} was never fed")),
        }
    }
    check_counts(what, &counts)
}

/// The same where repetitions are allowed: their number, if nothing is missing.
pub(crate) fn check_at_least_once<'a>(
    what: &str,
    lines: &[String],
    found: impl Iterator<Item = &'a str>,
) -> Outcome<usize> {
    let mut seen = vec![false; lines.len()];
    let mut found_count = 0;
    for line in found {
        match parse(line).and_then(|(id, _, _)| Some((seen.get_mut(id)?, lines.get(id)? == line))) {
            Some((seen, true)) => *seen = true,
            _ => return fail(format!("{what}: {line:?} was never fed")),
        }
        found_count += 1;
    }
    let counts: Vec<u32> = seen.iter().map(|seen| u32::from(*seen)).collect();
    check_counts(what, &counts)?;
    Ok(found_count - lines.len())
}

/// Each of the lines that are due, and no other, must have come out, in any order, and once where nothing may be
/// repeated; the number of repetitions.
pub(crate) fn check_these<'a>(
    what: &str,
    due: &[String],
    found: impl Iterator<Item = &'a str>,
    is_once: bool,
) -> Outcome<usize> {
    let mut counts: BTreeMap<&str, u32> = due.iter().map(|line| (line.as_str(), 0)).collect();
    for line in found {
        match counts.get_mut(line) {
            Some(count) => *count += 1,
            None => return fail(format!("{what}: {line:?} was not due")),
        }
    }
    let lines = |wrong: fn(u32) -> bool| -> Vec<&str> {
        counts.iter().filter(|(_, count)| wrong(**count)).map(|(line, _)| *line).collect()
    };
    let (missing, repeated) = (lines(|count| count == 0), lines(|count| count > 1));
    if !missing.is_empty() || (is_once && !repeated.is_empty()) {
        let named = |lines: &[&str]| lines.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(" ");
        return fail(format!(
            "{what}: of {} lines {} are missing ({}), {} came more than once ({})",
            due.len(),
            missing.len(),
            named(&missing),
            repeated.len(),
            named(&repeated)
        ));
    }
    Ok(counts.values().map(|count| *count as usize - 1).sum())
}

/// Running sums a key: each record once, each sum larger than the one before by its record's own amount, and the last
/// sum of each key the sum of what was fed. `found` is in the order of the log for each key.
pub(crate) fn check_sums<'a>(
    what: &str,
    lines: &[String],
    found: impl Iterator<Item = &'a str>,
) -> Outcome<()> {
    let mut counts = vec![0_u32; lines.len()];
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for line in found {
        let fed = parse(line)
            .and_then(|(id, key, sum)| Some((id, key, sum, parse(lines.get(id)?)?)))
            .filter(|(_, key, _, (_, fed_key, _))| key == fed_key);
        let Some((id, key, sum, (_, _, amount))) = fed else {
            return fail(format!("{what}: {line:?} is made of nothing that was fed"));
        };
        counts[id] += 1;
        let before = sums.entry(key).or_default();
        if sum != *before + amount {
            return fail(format!("{what}: {line:?} where {before} + {amount} was due"));
        }
        *before = sum;
    }
    check_counts(what, &counts)
}

fn check_counts(what: &str, counts: &[u32]) -> Outcome<()> {
    let ids = |wrong: fn(u32) -> bool| -> Vec<usize> {
        counts.iter().enumerate().filter(|(_, count)| wrong(**count)).map(|(id, _)| id).collect()
    };
    let (missing, repeated) = (ids(|count| count == 0), ids(|count| count > 1));
    if missing.is_empty() && repeated.is_empty() {
        return Ok(());
    }
    let named = |ids: &[usize]| ids.iter().take(NAMED_MAX).map(|id| name(*id)).collect::<Vec<_>>().join(", ");
    fail(format!(
        "{what}: of {} records {} are missing ({}), {} came more than once ({})",
        counts.len(),
        missing.len(),
        named(&missing),
        repeated.len(),
        named(&repeated)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FED: [&str; 3] = ["r0000000,k01,0010", "r0000001,k02,0005", "r0000002,k01,0001"];

    fn fed() -> Vec<String> {
        FED.map(str::to_owned).to_vec()
    }

    #[test]
    fn lines_are_named_and_of_one_length() {
        let lines = lines(&mut Dice::new(3), 20);
        for (id, line) in lines.iter().enumerate() {
            assert_eq!(line.len(), LINE_BYTES);
            assert!(line.starts_with(&name(id)));
            assert!(parse(line).is_some());
        }
    }

    #[test]
    fn once_means_neither_less_nor_more() {
        let check = |found: &[&str]| check_once("out", &fed(), found.iter().copied());
        assert_eq!(check(&[FED[2], FED[0], FED[1]]), Ok(()));
        for found in [&[FED[0], FED[1]][..], &[FED[0], FED[0], FED[1], FED[2]], &["r0000003,k01,0010"]] {
            assert!(check(found).is_err(), "{found:?}");
        }
        assert!(check(&[FED[0], FED[1], "r0000002,k01,0002"]).is_err());
    }

    #[test]
    fn at_least_once_counts_repetitions_and_misses_what_is_missing() {
        let check = |found: &[&str]| check_at_least_once("out", &fed(), found.iter().copied());
        assert_eq!(check(&[FED[0], FED[1], FED[1], FED[2], FED[0]]), Ok(2));
        assert!(check(&[FED[0], FED[0], FED[1]]).is_err());
        assert!(check(&["x"]).is_err());
    }

    #[test]
    fn those_that_are_due_and_no_others() {
        let due = [FED[0].to_owned(), FED[2].to_owned()];
        let check = |found: &[&str], is_once| check_these("out", &due, found.iter().copied(), is_once);
        assert_eq!(check(&[FED[2], FED[0]], true), Ok(0));
        assert_eq!(check(&[FED[2], FED[0], FED[2], FED[2]], false), Ok(2));
        assert!(check(&[FED[2], FED[0], FED[2]], true).is_err());
        for is_once in [false, true] {
            assert!(check(&[FED[2]], is_once).is_err());
            assert!(check(&[FED[0], FED[1], FED[2]], is_once).is_err());
        }
        assert_eq!(amount(FED[1]), Some(5));
    }

    #[test]
    fn a_sum_must_follow_from_the_one_before() {
        let check = |found: &[&str]| check_sums("out", &fed(), found.iter().copied());
        assert_eq!(check(&["r0000000,k01,10", "r0000001,k02,5", "r0000002,k01,11"]), Ok(()));
        assert_eq!(check(&["r0000002,k01,1", "r0000000,k01,11", "r0000001,k02,5"]), Ok(()));
        assert!(check(&["r0000000,k01,10", "r0000001,k02,5", "r0000002,k01,1"]).is_err());
        assert!(check(&["r0000000,k01,10", "r0000001,k02,5"]).is_err());
        assert!(check(&["r0000000,k02,10"]).is_err());
    }
}
