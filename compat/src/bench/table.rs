//! The figures of a run, and the table that sets both brokers side by side.
//! core: values only.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};

use super::load::Load;
use super::workloads::Workload;
use crate::broker::Against;

/// What is measured; the order is that of the columns.
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
}

const FIGURES: [(Figure, &str); 11] = [
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
];

/// The figures of one workload on one broker.
#[derive(Debug, Clone, Default)]
pub struct Measured(pub BTreeMap<Figure, f64>);

impl Measured {
    #[must_use]
    pub fn with(mut self, figure: Figure, value: f64) -> Self {
        self.0.insert(figure, value);
        self
    }

    /// Everything that a load tells; CPU seconds per million requests are microseconds per request.
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn of(load: &Load) -> Self {
        let ms = |quantile| load.latency.value_at_quantile(quantile) as f64 / 1e6;
        let mut measured = Self::default()
            .with(Figure::MegabytesPerSecond, load.bytes as f64 / 1e6 / load.seconds)
            .with(Figure::CpuSecondsPerGb, load.broker_cpu_seconds / (load.bytes as f64 / 1e9));
        if load.requests > 0 {
            let requests = load.requests as f64;
            measured = measured
                .with(Figure::PerSecond, requests / load.seconds)
                .with(Figure::CpuMicrosPerRequest, load.broker_cpu_seconds * 1e6 / requests)
                .with(Figure::P50Ms, ms(0.5))
                .with(Figure::P99Ms, ms(0.99))
                .with(Figure::P999Ms, ms(0.999))
                .with(Figure::MaxMs, load.latency.max() as f64 / 1e6);
        }
        measured
    }

    fn median(of: &[Self]) -> Self {
        let mut median = Self::default();
        for (figure, _) in FIGURES {
            let mut values: Vec<f64> = of.iter().filter_map(|one| one.0.get(&figure).copied()).collect();
            values.sort_by(f64::total_cmp);
            let middle = values.len() / 2;
            if let Some(value) = values.get(middle) {
                let below = values.get(middle.saturating_sub(1 - values.len() % 2)).unwrap_or(value);
                median.0.insert(figure, f64::midpoint(*below, *value));
            }
        }
        median
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
struct Short(f64);

impl Display for Short {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let decimals = match self.0.abs() {
            0.0..0.1 => 4,
            0.1..1.0 => 3,
            1.0..10.0 => 2,
            10.0..100.0 => 1,
            _ => 0,
        };
        write!(f, "{:.decimals$}", self.0)
    }
}

/// Every measurement of a run.
#[derive(Debug)]
pub struct Table {
    limits: String,
    rows: Vec<(&'static Workload, Against, Measured)>,
}

impl Table {
    pub fn new(limits: String) -> Self {
        Self { limits, rows: Vec::new() }
    }

    pub fn add(&mut self, workload: &'static Workload, against: Against, measured: Measured) {
        self.rows.push((workload, against, measured));
    }

    fn of(&self, workload: &Workload, against: Against) -> Vec<Measured> {
        let rows = self.rows.iter().filter(|row| row.0.name == workload.name && row.1 == against);
        rows.map(|row| row.2.clone()).collect()
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}\n| workload | broker | runs |", self.limits)?;
        for (_, name) in FIGURES {
            write!(f, " {name} |")?;
        }
        writeln!(f, "\n|{}", " --- |".repeat(FIGURES.len() + 3))?;
        let mut workloads: Vec<&Workload> = self.rows.iter().map(|row| row.0).collect();
        workloads.dedup_by_key(|workload| workload.name);
        for workload in workloads {
            let brokers = [Against::Kafka, Against::Ottla].map(|against| {
                let all = self.of(workload, against);
                (against, all.len(), Measured::median(&all))
            });
            for (against, runs, median) in brokers.iter().filter(|broker| broker.1 > 0) {
                row(f, workload.name, &against.to_string(), &runs.to_string(), &median.0)?;
            }
            let [(_, kafka_runs, kafka), (_, ottla_runs, ottla)] = &brokers;
            if *kafka_runs > 0 && *ottla_runs > 0 {
                let ratios = ottla.0.iter().filter_map(|(figure, value)| {
                    let base = kafka.0.get(figure).filter(|base| **base > 0.0)?;
                    Some((*figure, value / base))
                });
                row(f, workload.name, "ratio", "", &ratios.collect())?;
            }
            writeln!(f, "| | target: {} | |{}", workload.target, " |".repeat(FIGURES.len()))?;
        }
        Ok(())
    }
}

fn row(f: &mut Formatter<'_>, name: &str, broker: &str, runs: &str, of: &BTreeMap<Figure, f64>) -> Result {
    write!(f, "| {name} | {broker} | {runs} |")?;
    for (figure, _) in FIGURES {
        match of.get(&figure) {
            Some(value) => write!(f, " {} |", Short(*value))?,
            None => write!(f, " |")?,
        }
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_two_lies_between_them_and_of_three_is_one_of_them() {
        let one = |value| Measured::default().with(Figure::TimeMs, value);
        let median = |values: &[f64]| {
            Measured::median(&values.iter().map(|value| one(*value)).collect::<Vec<_>>()).0[&Figure::TimeMs]
        };
        assert!((median(&[1.0, 3.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[9.0, 1.0, 3.0]) - 3.0).abs() < 1e-9);
        assert!((median(&[4.0]) - 4.0).abs() < 1e-9);
    }
}
