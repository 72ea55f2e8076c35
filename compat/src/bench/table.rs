//! The figures of a run, and the table that sets both brokers side by side.
//! Core: values only.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};

use hdrhistogram::Histogram;

use super::limits::Limits;
use super::load::Load;
use super::rows::{ROWS, Row};
use crate::broker::Against;

/// What is measured; the order is that of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    MegabytesPerSecond,
    PerSecond,
    P50Ms,
    P99Ms,
    P999Ms,
    MaxMs,
    CpuSecondsPerGb,
    CpuMicrosPerRequest,
    TimeMs,
    CpuSeconds,
    MemoryMib,
    MemoryKibEach,
    OpenFiles,
    IdleCpuPercent,
    RestartMs,
    LogGigabytes,
    GeneratorCpuSecondsPerGb,
    GeneratorCpuMicrosPerRequest,
}

const FIGURES: [(Figure, &str); 18] = [
    (Figure::MegabytesPerSecond, "MB/s"),
    (Figure::PerSecond, "per s"),
    (Figure::P50Ms, "p50 ms"),
    (Figure::P99Ms, "p99 ms"),
    (Figure::P999Ms, "p99.9 ms"),
    (Figure::MaxMs, "max ms"),
    (Figure::CpuSecondsPerGb, "CPU s/GB"),
    (Figure::CpuMicrosPerRequest, "CPU us/req"),
    (Figure::TimeMs, "time ms"),
    (Figure::CpuSeconds, "CPU s"),
    (Figure::MemoryMib, "memory MiB"),
    (Figure::MemoryKibEach, "memory KiB each"),
    (Figure::OpenFiles, "open files"),
    (Figure::IdleCpuPercent, "idle CPU %"),
    (Figure::RestartMs, "restart ms"),
    (Figure::LogGigabytes, "log GB"),
    (Figure::GeneratorCpuSecondsPerGb, "generator CPU s/GB"),
    (Figure::GeneratorCpuMicrosPerRequest, "generator CPU us/req"),
];

/// The figures of one row on one broker.
#[derive(Debug, Clone, Default)]
pub struct Measured(pub BTreeMap<Figure, f64>);

impl Measured {
    #[must_use]
    pub fn with(mut self, figure: Figure, value: f64) -> Self {
        self.0.insert(figure, value);
        self
    }

    /// A load of which the bytes count: its requests are large.
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn of_bytes(load: &Load) -> Self {
        let gigabytes = load.bytes as f64 / 1e9;
        Self::default()
            .with(Figure::MegabytesPerSecond, load.bytes as f64 / 1e6 / load.seconds)
            .with(Figure::CpuSecondsPerGb, load.broker_cpu_seconds / gigabytes)
            .with(Figure::GeneratorCpuSecondsPerGb, load.generator_cpu_seconds / gigabytes)
            .with_latency(&load.latency)
    }

    /// A load of which the requests count; CPU seconds per million requests are microseconds per request.
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn of_requests(load: &Load) -> Self {
        let requests = load.requests as f64;
        Self::default()
            .with(Figure::PerSecond, requests / load.seconds)
            .with(Figure::CpuMicrosPerRequest, load.broker_cpu_seconds * 1e6 / requests)
            .with(Figure::GeneratorCpuMicrosPerRequest, load.generator_cpu_seconds * 1e6 / requests)
            .with_latency(&load.latency)
    }

    /// Nanoseconds in, milliseconds out.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn with_latency(self, latency: &Histogram<u64>) -> Self {
        if latency.is_empty() {
            return self;
        }
        let ms = |quantile| latency.value_at_quantile(quantile) as f64 / 1e6;
        self.with(Figure::P50Ms, ms(0.5))
            .with(Figure::P99Ms, ms(0.99))
            .with(Figure::P999Ms, ms(0.999))
            .with(Figure::MaxMs, latency.max() as f64 / 1e6)
    }
}

impl Display for Measured {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let named = FIGURES.iter().filter_map(|(figure, name)| Some((name, self.0.get(figure)?)));
        for (index, (name, value)) in named.enumerate() {
            write!(f, "{}{name} {}", if index == 0 { "" } else { ", " }, Short(*value))?;
        }
        Ok(())
    }
}

/// Three digits that mean something.
#[derive(Debug, Clone, Copy)]
pub struct Short(pub f64);

impl Display for Short {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let decimals = match self.0.abs() {
            0.0 => 0,
            0.0..0.1 => 4,
            0.1..1.0 => 3,
            1.0..10.0 => 2,
            10.0..100.0 => 1,
            _ => 0,
        };
        write!(f, "{:.decimals$}", self.0)
    }
}

/// The middle of some measurements, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
    count: usize,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most, middle) = (*values.first()?, *values.last()?, values.len() / 2);
        let below = values[middle.saturating_sub(1 - values.len() % 2)];
        Some(Self { median: f64::midpoint(below, values[middle]), least, most, count: values.len() })
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", Short(self.median))?;
        if self.count > 1 {
            write!(f, " ({}..{})", Short(self.least), Short(self.most))?;
        }
        Ok(())
    }
}

/// Every measurement of a run.
#[derive(Debug)]
pub struct Table {
    limits: Limits,
    rows: Vec<(&'static str, Against, Measured)>,
    notes: Vec<String>,
}

impl Table {
    pub fn new(limits: Limits) -> Self {
        Self { limits, rows: Vec::new(), notes: Vec::new() }
    }

    pub fn add(&mut self, row: &'static str, against: Against, measured: Measured) {
        self.rows.push((row, against, measured));
    }

    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn spread(&self, row: &str, against: Against, figure: Figure) -> Option<Spread> {
        let of_row = self.rows.iter().filter(|(name, of, _)| *name == row && *of == against);
        Spread::of(of_row.filter_map(|(_, _, measured)| measured.0.get(&figure).copied()).collect())
    }

    fn write_row(&self, f: &mut Formatter<'_>, row: &Row) -> Result {
        let (mut name, mut target) = (row.name, row.target);
        for (figure, figure_name) in FIGURES {
            let kafka = self.spread(row.name, Against::Kafka, figure);
            let ottla = self.spread(row.name, Against::Ottla, figure);
            if kafka.is_none() && ottla.is_none() {
                continue;
            }
            let cell = |spread: Option<Spread>| spread.map(|spread| spread.to_string()).unwrap_or_default();
            let ratio = match (kafka, ottla) {
                (Some(kafka), Some(ottla)) if kafka.median > 0.0 => {
                    Short(ottla.median / kafka.median).to_string()
                }
                _ => String::new(),
            };
            let limit = row.limits.iter().find(|(of, _)| *of == figure).map(|(_, limit)| limit(&self.limits));
            writeln!(
                f,
                "| {name} | {figure_name} | {} | {} | {ratio} | {} | {target} |",
                cell(kafka),
                cell(ottla),
                limit.map(|limit| Short(limit).to_string()).unwrap_or_default()
            )?;
            // Said once, at the first line of a row.
            (name, target) = ("", "");
        }
        Ok(())
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "{}", self.limits)?;
        writeln!(
            f,
            "| workload | figure | Kafka | Ottla | ratio | limit of the machine | target (ratio, or as said) |"
        )?;
        writeln!(f, "|{}", " --- |".repeat(7))?;
        for row in ROWS {
            self.write_row(f, row)?;
        }
        if !self.notes.is_empty() {
            writeln!(f, "\nNotes:\n")?;
        }
        for note in &self.notes {
            writeln!(f, "- {note}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_two_lies_between_them_and_of_three_is_one_of_them() {
        let median = |values: &[f64]| Spread::of(values.to_vec()).map(|spread| spread.median);
        assert_eq!(median(&[1.0, 3.0]), Some(2.0));
        assert_eq!(median(&[9.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(&[4.0]), Some(4.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_row_says_its_spread_its_ratio_and_its_limit_once_each() {
        let mut table = Table::new(Limits { echo_us: 0.5, ..Limits::default() });
        let name = "storm-metadata";
        for (against, value) in [(Against::Kafka, 40.0), (Against::Kafka, 44.0), (Against::Ottla, 2.1)] {
            table.add(name, against, Measured::default().with(Figure::CpuMicrosPerRequest, value));
        }
        let text = table.to_string();
        assert!(text.contains(
            "| storm-metadata | CPU us/req | 42.0 (40.0..44.0) | 2.10 | 0.0500 | 0.500 | CPU us/req at most 0.12 |"
        ));
    }
}
