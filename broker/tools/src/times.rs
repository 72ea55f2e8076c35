//! Points in time and spans of it as people write them: `--to-datetime` and `--by-duration`.
//! Core.

use crate::error::Exception;

const MS_PER_MINUTE: i64 = 60_000;
const MS_PER_HOUR: i64 = 60 * MS_PER_MINUTE;
const MS_PER_DAY: i64 = 24 * MS_PER_HOUR;

/// `YYYY-MM-DDThh:mm:ss.sss`, with or without a zone behind it (`Utils.getDateTime`), as milliseconds since 1970.
pub fn datetime(text: &str) -> Result<i64, Exception> {
    let wrong = |message: String| Exception::new("java.text.ParseException", message);
    let Some((day, rest)) = text.split_once('T') else {
        let message = "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format";
        return Err(wrong(message.to_owned()));
    };
    let unparseable = || wrong(format!("Unparseable date: \"{text}\""));
    let zone_at = rest.find(['+', '-', 'Z']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(zone_at);
    let day = day_number(day).ok_or_else(unparseable)?;
    let time = time_of_day(time).ok_or_else(unparseable)?;
    let zone = zone_ms(zone).ok_or_else(unparseable)?;
    Ok(day * MS_PER_DAY + time - zone)
}

/// `YYYY-MM-DD` as days since 1970-01-01: years begin in March, so that a leap day is the last of one.
fn day_number(text: &str) -> Option<i64> {
    const DAYS_PER_400_YEARS: i64 = 146_097;
    /// From 0000-03-01 to 1970-01-01.
    const DAYS_BEFORE_1970: i64 = 719_468;
    let numbers: Vec<i64> = text.split('-').map(digits).collect::<Option<_>>()?;
    let [year, month, day] = numbers[..] else { return None };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=month_days).contains(&day) {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * DAYS_PER_400_YEARS + day_of_era - DAYS_BEFORE_1970)
}

fn digits(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// `hh:mm:ss.sss`.
fn time_of_day(text: &str) -> Option<i64> {
    let (clock, ms) = text.split_once('.')?;
    let numbers: Vec<i64> = clock.split(':').map(digits).collect::<Option<_>>()?;
    let [hour, minute, second] = numbers[..] else { return None };
    let ms = digits(ms)?;
    let is_right = hour < 24 && minute < 60 && second < 60 && ms < 1000;
    is_right.then(|| hour * MS_PER_HOUR + minute * MS_PER_MINUTE + second * 1000 + ms)
}

/// Nothing, `Z`, `+hh`, `+hhmm` or `+hh:mm`.
fn zone_ms(text: &str) -> Option<i64> {
    if text.is_empty() || text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let numbers = text.get(1..)?.replace(':', "");
    let (hours, minutes) = match numbers.len() {
        2 => (digits(&numbers)?, 0),
        4 => (digits(&numbers[..2])?, digits(&numbers[2..])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then(|| sign * (hours * MS_PER_HOUR + minutes * MS_PER_MINUTE))
}

/// `PnDTnHnMnS` as milliseconds.
pub fn duration(text: &str) -> Result<i64, Exception> {
    let wrong = || {
        Exception::new(
            "java.time.format.DateTimeParseException",
            "Text cannot be parsed to a Duration".to_owned(),
        )
    };
    parse_duration(text).ok_or_else(wrong)
}

fn parse_duration(text: &str) -> Option<i64> {
    let upper = text.to_ascii_uppercase();
    let (sign, rest) = match upper.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, upper.strip_prefix('+').unwrap_or(&upper)),
    };
    let rest = rest.strip_prefix('P')?;
    let (days, clock) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((days, clock)) => (days, clock),
        None => (rest, ""),
    };
    let mut ms = parts(days, &[('D', MS_PER_DAY)])?;
    ms += parts(clock, &[('H', MS_PER_HOUR), ('M', MS_PER_MINUTE), ('S', 1000)])?;
    (!days.is_empty() || !clock.is_empty()).then_some(sign * ms)
}

/// Numbers with a unit behind each, units in their order.
fn parts(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut ms = 0;
    for (unit, factor) in units {
        let Some((number, rest)) = text.split_once(*unit) else { continue };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let sign = if whole.starts_with('-') { -1 } else { 1 };
        let amount = digits(whole.trim_start_matches(['+', '-']))?;
        let thousandths = if fraction.is_empty() { 0 } else { digits(&format!("{fraction:0<3.3}"))? };
        if thousandths != 0 && *unit != 'S' {
            return None;
        }
        ms += sign * (amount.checked_mul(*factor)? + thousandths);
        text = rest;
    }
    text.is_empty().then_some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_in_utc_unless_a_zone_is_named() {
        assert_eq!(datetime("1970-01-01T00:00:00.000"), Ok(0));
        assert_eq!(datetime("2000-02-29T00:00:00.123"), Ok(951_782_400_123));
        assert_eq!(datetime("2026-11-30T09:40:11.007Z"), Ok(1_796_031_611_007));
        for zone in ["+02", "+0200", "+02:00"] {
            assert_eq!(datetime(&format!("1970-01-01T02:00:00.000{zone}")), Ok(0), "{zone}");
        }
        assert_eq!(datetime("1969-12-31T19:00:00.000-05:00"), Ok(0));
        for wrong in
            ["1970-01-01", "1970-02-29T00:00:00.000", "1970-01-01T24:00:00.000", "1970-01-01T00:00:00"]
        {
            assert_eq!(
                datetime(wrong).err().map(|error| error.class),
                Some("java.text.ParseException".to_owned())
            );
        }
    }

    #[test]
    fn a_span_has_units_in_their_order() {
        assert_eq!(duration("P1DT2H3M4.5S"), Ok(86_400_000 + 7_200_000 + 180_000 + 4500));
        assert_eq!(duration("PT90M"), Ok(5_400_000));
        assert_eq!(duration("-PT1S"), Ok(-1000));
        for wrong in ["", "P", "PT", "1D", "PT1", "PT1S2M", "P1H"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
