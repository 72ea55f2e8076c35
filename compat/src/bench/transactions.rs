//! Transactions a second of one producer: begin, one record a partition, commit; by the Java client and librdkafka.
//! shell: child processes.

use std::ffi::OsString;
use std::process::Command;

use super::foreign::{number_before, play};
use super::load::Span;
use super::scene::{Side, with_peak};
use super::table::{Figure, Measured};
use super::workloads::{sides, with_fresh_topic};
use crate::broker::{Against, Broker};
use crate::clients::{java_transaction_rate, rdkafka_transaction_rate};
use crate::failure::{Failure, Outcome};

/// How long the programs count, after a second that does not.
const SECONDS: &str = "4";

/// The client that commits.
#[derive(Debug, Clone, Copy)]
pub enum Library {
    Java,
    Librdkafka,
}

/// Ottla syncs what it answers; `overrides` may make Apache Kafka do so too.
pub fn rate(
    row: &'static str,
    library: Library,
    partitions: i32,
    overrides: &'static [&'static str],
    of: &[Against],
) -> Outcome<Vec<Side>> {
    let program: Vec<OsString> = match library {
        Library::Java => java_transaction_rate()?,
        Library::Librdkafka => rdkafka_transaction_rate()?,
    };
    sides(of, overrides, |_| {
        let program = program.clone();
        Ok(with_fresh_topic(row, partitions, move |broker: &dyn Broker, topic: &str, _: Span| {
            let mut command = Command::new(&program[0]);
            command.args(&program[1..]).arg(broker.bootstrap());
            if let Library::Librdkafka = library {
                command.arg("transaction-rate");
            }
            command.args([topic, &partitions.to_string(), SECONDS]);
            let (text, _, _) = play(row, &mut command, broker)?;
            let mut measured = Measured::default();
            for (figure, word) in FIGURES {
                let value = number_before(&text, word)
                    .ok_or_else(|| Failure(format!("{row} did not say{word}\n{text}")))?;
                measured = measured.with(figure, value);
            }
            Ok(vec![(row, with_peak(measured, broker)?)])
        }))
    })
}

const FIGURES: [(Figure, &str); 4] = [
    (Figure::PerSecond, " per s"),
    (Figure::P50Ms, " ms 50th"),
    (Figure::P99Ms, " ms 99th"),
    (Figure::MaxMs, " ms max"),
];
