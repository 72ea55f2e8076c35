//! What a process has used: processor time and memory, as the kernel counts them.
//! Shell: reads /proc.

use std::fs;

use crate::failure::{Failure, Outcome, While};

/// The kernel counts in hundredths of a second wherever this runs.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of a process so far, in seconds.
pub fn cpu_seconds(pid: u32) -> Outcome<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).while_doing(|| format!("reading {path}"))?;
    ticks(&text)
        .map(|ticks| ticks / TICKS_PER_SECOND)
        .ok_or_else(|| Failure(format!("{path} says nothing of the time used: {text}")))
}

fn ticks(stat: &str) -> Option<f64> {
    // The name may hold spaces and parentheses; the fields are counted behind its last one.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The same of several processes together.
pub fn cpu_seconds_of(pids: &[u32]) -> Outcome<f64> {
    pids.iter().map(|pid| cpu_seconds(*pid)).sum()
}

/// `VmRSS` (now) or `VmHWM` (the most ever) of a process, in MiB.
pub fn memory_mib(pid: u32, field: &str) -> Outcome<f64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).while_doing(|| format!("reading {path}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.split_whitespace().next()?.parse().ok())
        .map(|kib: f64| kib / 1024.0)
        .ok_or_else(|| Failure(format!("{path} has no {field}")))
}

/// The same of several processes together.
pub fn memory_mib_of(pids: &[u32], field: &str) -> Outcome<f64> {
    pids.iter().map(|pid| memory_mib(*pid, field)).sum()
}

/// The descriptors that a process holds open.
pub fn open_files(pid: u32) -> Outcome<usize> {
    let path = format!("/proc/{pid}/fd");
    Ok(fs::read_dir(&path).while_doing(|| format!("listing {path}"))?.count())
}

/// The time this thread ran so far, in seconds; finer than what is known of a whole process.
pub fn own_thread_seconds() -> Outcome<f64> {
    const PATH: &str = "/proc/thread-self/schedstat";
    let text = fs::read_to_string(PATH).while_doing(|| format!("reading {PATH}"))?;
    let nanos = text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    nanos
        .map(|nanos| nanos / 1e9)
        .ok_or_else(|| Failure(format!("{PATH} says nothing of the time used: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_does_not_shift_its_fields() {
        let stat = "17 (a) b (c) S 1 17 17 0 -1 4194304 1 2 3 4 250 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(300.0));
        assert_eq!(ticks("17"), None);
    }

    #[test]
    fn this_process_has_memory() {
        let peak = memory_mib(std::process::id(), "VmHWM");
        assert!(peak.is_ok_and(|mib| mib > 0.1));
    }
}
