//! Where a command writes: standard streams, or a test's buffers.
//! Shell.

use std::io::Write;

use ottla_env::Clock;
use ottla_env::real::RealClock;

use crate::error::Exception;

/// The streams of one command.
pub struct Terminal<'a> {
    pub out: &'a mut dyn Write,
    pub err: &'a mut dyn Write,
}

impl Terminal<'_> {
    pub fn say(&mut self, line: &str) -> std::io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// A line as Kafka's tools log it (`config/tools-log4j2.yaml`).
    pub fn log(&mut self, level: &str, message: &str, class: &str) -> Result<(), Exception> {
        let now = timestamp(RealClock::new().wall_ms());
        // Who sees both streams in one sees them in the order in which they were written.
        self.out
            .flush()
            .and_then(|()| writeln!(self.err, "[{now}] {level} {message} ({class})"))
            .map_err(|error| Exception::new("java.io.IOException", error.to_string()))
    }
}

/// `2026-11-30 09:40:11,123`, in UTC.
pub fn timestamp(wall_ms: i64) -> String {
    let (days, ms) = (wall_ms.div_euclid(86_400_000), wall_ms.rem_euclid(86_400_000));
    let (year, month, day) = date(days);
    let (seconds, ms) = (ms / 1000, ms % 1000);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02},{ms:03}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The civil date of a day since 1970-01-01: years begin in March, so that a leap day is the last of one.
fn date(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_400_YEARS: i64 = 146_097;
    /// From 0000-03-01 to 1970-01-01.
    const DAYS_BEFORE_1970: i64 = 719_468;
    let shifted = days + DAYS_BEFORE_1970;
    let era = shifted.div_euclid(DAYS_PER_400_YEARS);
    let day_of_era = shifted.rem_euclid(DAYS_PER_400_YEARS);
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    assert!((1..=12).contains(&month) && (1..=31).contains(&day), "day {days} is {year}-{month}-{day}");
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_log4j_writes_them() {
        assert_eq!(timestamp(0), "1970-01-01 00:00:00,000");
        assert_eq!(timestamp(951_782_400_123), "2000-02-29 00:00:00,123");
        assert_eq!(timestamp(1_796_031_611_007), "2026-11-30 09:40:11,007");
        assert_eq!(timestamp(1_798_761_599_999), "2026-12-31 23:59:59,999");
    }
}
