//! The checks that need a rule of their own.
//! Core.

use crate::value::trim;

fn invalid(name: &str, value: impl std::fmt::Display, why: impl std::fmt::Display) -> String {
    format!("Invalid value {value} for configuration {name}: {why}")
}

/// gzip levels are 1 to 9, and -1 for the codec's own choice.
pub(crate) fn gzip_level(name: &str, text: &str) -> Result<(), String> {
    match text.parse::<i64>() {
        Ok(-1 | 1..=9) => Ok(()),
        Ok(level) => Err(invalid(name, level, "Value must be between 1 and 9 or equal to -1")),
        Err(_) => Err(invalid(name, text, "Not a number of type INT")),
    }
}

/// `*`, or pairs of partition and broker.
pub(crate) fn throttled_replicas(name: &str, text: &str) -> Result<(), String> {
    if text.is_empty() || text == "*" {
        return Ok(());
    }
    let entries: Vec<&str> = text.split(',').map(trim).collect();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let pair = |entry: &str| entry.split_once(':').is_some_and(|(p, b)| digits(p) && digits(b));
    if entries.iter().all(|entry| entry.is_empty()) || entries.iter().all(|entry| pair(entry)) {
        return Ok(());
    }
    let why = format!(
        "{name} must be the literal '*' or a list of replicas in the following format: \
         [partitionId]:[brokerId],[partitionId]:[brokerId],..."
    );
    Err(invalid(name, format!("[{}]", entries.join(", ")), why))
}

/// `latest`, `earliest` or `by_duration:` with an ISO-8601 duration that is not negative.
pub(crate) fn auto_offset_reset(name: &str, text: &str) -> Result<(), String> {
    let known = matches!(text.to_ascii_lowercase().as_str(), "latest" | "earliest");
    if known || reset_duration_ms(text).is_some() {
        return Ok(());
    }
    let why = format!(
        "Invalid value `{text}` for configuration {name}. The value must be either 'earliest', 'latest' \
         or of the format 'by_duration:<PnDTnHnMn.nS>'."
    );
    Err(invalid(name, text, why))
}

/// `group.consumer.assignors`: those that are there, by name or by the name of Kafka's class; others are Java.
pub(crate) fn consumer_assignors(name: &str, text: &str) -> Result<(), String> {
    let mut seen = std::collections::BTreeSet::new();
    for entry in text.split(',').map(str::trim) {
        let Some(assignor) = consumer_assignor(entry) else {
            let why = format!("`{entry}` cannot be run here; allowed: uniform, range");
            return Err(invalid(name, text, why));
        };
        if !seen.insert(assignor) {
            return Err(invalid(name, text, "Configuration values must not be duplicated."));
        }
    }
    Ok(())
}

/// The name of the assignor that an entry means.
pub fn consumer_assignor(entry: &str) -> Option<&'static str> {
    match entry.trim() {
        "uniform" | "org.apache.kafka.coordinator.group.assignor.UniformAssignor" => Some("uniform"),
        "range" | "org.apache.kafka.coordinator.group.assignor.RangeAssignor" => Some("range"),
        _ => None,
    }
}

/// The milliseconds of `by_duration:`.
pub(crate) fn reset_duration_ms(text: &str) -> Option<i64> {
    text.strip_prefix("by_duration:").and_then(duration_ms)
}

/// An ISO-8601 duration of days, hours, minutes and seconds, as Java's Duration reads it.
fn duration_ms(text: &str) -> Option<i64> {
    let text = text.to_ascii_uppercase();
    let rest = text.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let date_ms = units_ms(date, &[('D', 86_400_000)])?;
    Some(date_ms.saturating_add(units_ms(time, &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)])?))
}

/// Numbers, each behind it one of the units, in this order; a fraction is for seconds alone.
fn units_ms(mut text: &str, mut order: &[(char, i64)]) -> Option<i64> {
    let mut total_ms = 0i64;
    while !text.is_empty() {
        let end = text.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = (&text[..end], text.as_bytes()[end] as char);
        let place = order.iter().position(|(known, _)| *known == unit)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || (number.contains('.') && unit != 'S') {
            return None;
        }
        let unit_ms = order[place].1;
        let part_ms = format!("{part:0<3}")[..3].parse::<i64>().ok()? * unit_ms / 1_000;
        let whole_ms = whole.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(unit_ms);
        total_ms = total_ms.saturating_add(whole_ms).saturating_add(part_ms);
        order = &order[place + 1..];
        text = &text[end + 1..];
    }
    Some(total_ms)
}

/// `host:port` entries.
pub(crate) fn bootstrap_servers(name: &str, text: &str) -> Result<(), String> {
    for entry in text.split(',').map(trim).filter(|entry| !entry.is_empty()) {
        let port = entry.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        if port.and_then(|port| port.parse::<u16>().ok()).is_none() {
            return Err(invalid(name, text, format!("`{entry}` is not of the form host:port")));
        }
    }
    Ok(())
}

/// `id@host:port` entries.
pub(crate) fn quorum_voters(name: &str, text: &str) -> Result<(), String> {
    for entry in text.split(',').map(trim).filter(|entry| !entry.is_empty()) {
        let Some((id, address)) = entry.split_once('@') else {
            return Err(invalid(name, text, format!("`{entry}` is not of the form id@host:port")));
        };
        if id.parse::<i32>().ok().filter(|id| *id >= 0).is_none() {
            return Err(invalid(name, text, format!("`{id}` is not the id of a voter")));
        }
        bootstrap_servers(name, address)?;
    }
    Ok(())
}

/// Empty, or `host:port`.
pub(crate) fn http_listener(name: &str, text: &str) -> Result<(), String> {
    let one = !text.contains(',') && bootstrap_servers(name, text).is_ok();
    if one { Ok(()) } else { Err(invalid(name, text, "not of the form host:port; empty switches it off")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_share_groups() {
        for (good, ms) in [
            ("PT1H", 3_600_000),
            ("P1D", 86_400_000),
            ("P1DT2H3M4.5S", 93_784_500),
            ("PT0S", 0),
            ("PT0.0625S", 62),
            ("pt1h", 3_600_000),
        ] {
            assert_eq!(duration_ms(good), Some(ms), "{good}");
        }
        for bad in ["", "P", "PT", "1H", "PT-1H", "PT1.5H", "P1H", "PT1S1H", "foo"] {
            assert_eq!(duration_ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn voters_and_servers() {
        assert!(quorum_voters("k", "1@localhost:9093,2@[::1]:9094").is_ok());
        assert!(quorum_voters("k", "localhost:9093").is_err());
        assert!(quorum_voters("k", "-1@localhost:9093").is_err());
        assert!(bootstrap_servers("k", "localhost").is_err());
        assert!(bootstrap_servers("k", "localhost:99999").is_err());
    }
}
