//! The load tools that Kafka's users know, unmodified: those of Apache Kafka and librdkafka's `rdkafka_performance`.
//! Shell: child processes, files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::gauge::cpu_seconds;
use super::load::Span;
use super::scene::{Bout, Filled, Rows, Scale, Side, TOPIC, create_topic, fill, with_peak};
use super::table::{Figure, Measured};
use super::workloads::{sides, with_fresh_topic};
use crate::broker::{Against, Broker};
use crate::clients::CLIENTS;
use crate::failure::{Failure, Outcome, fail};
use crate::places::{ScratchDir, cache_dir};
use crate::process::{capture, require, run};
use crate::reference::classpath;

const PRODUCER_PERFORMANCE: &str = "org.apache.kafka.tools.ProducerPerformance";
const CONSUMER_PERFORMANCE: &str = "org.apache.kafka.tools.ConsumerPerformance";
const END_TO_END_LATENCY: &str = "org.apache.kafka.tools.EndToEndLatency";

const LIMIT: Duration = Duration::from_secs(180);
const COMPILE_LIMIT: Duration = Duration::from_secs(120);
const RECORD_BYTES: usize = 1_024;

/// A JVM as the tools' scripts start it: with the default collector and compilers, and half a gigabyte.
fn tool(class: &str) -> Outcome<Command> {
    let mut command = Command::new("java");
    command.args(["-Xmx512m", "-Dlog4j2.configurationFile=log4j2.properties", "-cp"]).arg(classpath()?);
    command.arg(class);
    Ok(command)
}

/// Runs a tool to its end: what it printed, and the broker's processor time meanwhile.
pub fn play(name: &str, command: &mut Command, broker: &dyn Broker) -> Outcome<(String, f64, Duration)> {
    let work = ScratchDir::new(name)?;
    let (start, cpu_before) = (Instant::now(), cpu_seconds(broker.pid())?);
    let printed = capture(name, command, None, work.path(), LIMIT)?;
    let (took, cpu) = (start.elapsed(), cpu_seconds(broker.pid())? - cpu_before);
    Ok((format!("{}\n{}", printed.output, printed.errors), cpu, took))
}

/// How many records such a tool moves in a bout; a warm-up, which has no ramp, is as long.
fn record_count(scale: &Scale, full: usize) -> String {
    scale.part(full).to_string()
}

/// The number in front of a word of the tool's report.
pub fn number_before(text: &str, word: &str) -> Option<f64> {
    let (before, _) = text.rsplit_once(word)?;
    before.trim_end().rsplit([' ', '(', ',']).next()?.trim().parse().ok()
}

#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn per_gigabyte(cpu: f64, records: &str) -> f64 {
    cpu / (records.parse::<f64>().unwrap_or(1.0) * RECORD_BYTES as f64 / 1e9)
}

pub fn producer_perf(scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    const ROW: &str = "kafka-producer-perf-test";
    let (count, size) = (record_count(scale, 700_000), RECORD_BYTES.to_string());
    sides(of, &[], |_| {
        let (count, size) = (count.clone(), size.clone());
        Ok(with_fresh_topic(ROW, 4, move |broker, topic, _| {
            let mut command = tool(PRODUCER_PERFORMANCE)?;
            command.args(["--topic", topic, "--num-records", &count, "--record-size", &size]);
            let bootstrap = format!("bootstrap.servers={}", broker.bootstrap());
            command.args(["--throughput", "-1", "--producer-props", &bootstrap, "acks=1"]);
            let (text, cpu, _) = play(ROW, &mut command, broker)?;
            let mut measured = Measured::default().with(Figure::CpuSecondsPerGb, per_gigabyte(cpu, &count));
            let figures = [
                // The tool says MB and means MiB.
                (Figure::MegabytesPerSecond, " MB/sec)", 1.048_576),
                (Figure::P50Ms, " ms 50th", 1.0),
                (Figure::P99Ms, " ms 99th", 1.0),
                (Figure::P999Ms, " ms 99.9th", 1.0),
                (Figure::MaxMs, " ms max latency", 1.0),
            ];
            for (figure, word, factor) in figures {
                let value = number_before(&text, word)
                    .ok_or_else(|| Failure(format!("{ROW} did not say{word}\n{text}")))?;
                measured = measured.with(figure, value * factor);
            }
            Ok(vec![(ROW, with_peak(measured, broker)?)])
        }))
    })
}

/// A gigabyte in four partitions, to be read by a tool.
fn reading(
    scale: &Scale,
    of: &[Against],
    partitions: i32,
    bout: impl Fn(&dyn Broker, &str) -> Outcome<Rows> + Clone + 'static,
) -> Outcome<Vec<Side>> {
    let batches = scale.part(Filled::GIGABYTE) * 4 / usize::try_from(partitions).unwrap_or(1);
    let count = (batches * Filled::RECORDS * usize::try_from(partitions).unwrap_or(1)).to_string();
    sides(of, &[], |broker| {
        create_topic(broker, TOPIC, partitions)?;
        fill(broker, TOPIC, partitions, batches)?;
        let (bout, count) = (bout.clone(), count.clone());
        Ok(Box::new(move |broker: &dyn Broker, _: Span| bout(broker, &count)) as Bout)
    })
}

pub fn consumer_perf(scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    const ROW: &str = "kafka-consumer-perf-test";
    reading(scale, of, 4, |broker, count| {
        let mut command = tool(CONSUMER_PERFORMANCE)?;
        command.args(["--bootstrap-server", broker.bootstrap(), "--topic", TOPIC]);
        command.args(["--num-records", count, "--timeout", "60000"]);
        let (text, cpu, _) = play(ROW, &mut command, broker)?;
        // start, end, MB, MB a second, records, records a second, …
        let rate = text.lines().filter_map(|line| line.split(", ").nth(3)?.trim().parse::<f64>().ok()).next();
        let Some(rate) = rate else { return fail(format!("{ROW} told no rate\n{text}")) };
        let measured = Measured::default()
            .with(Figure::MegabytesPerSecond, rate * 1.048_576)
            .with(Figure::CpuSecondsPerGb, per_gigabyte(cpu, count));
        Ok(vec![(ROW, with_peak(measured, broker)?)])
    })
}

pub fn end_to_end_latency(scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    const ROW: &str = "kafka-e2e-latency";
    let count = record_count(scale, 8_000);
    sides(of, &[], |_| {
        let count = count.clone();
        Ok(with_fresh_topic(ROW, 1, move |broker, topic, _| {
            let mut command = tool(END_TO_END_LATENCY)?;
            command.args([broker.bootstrap(), topic, &count, "1", "100"]);
            let (text, cpu, _) = play(ROW, &mut command, broker)?;
            let records = count.parse().unwrap_or(1.0);
            let measured = latencies(&text)
                .ok_or_else(|| Failure(format!("{ROW} told no latencies\n{text}")))?
                .with(Figure::CpuMicrosPerRequest, cpu * 1e6 / records);
            Ok(vec![(ROW, measured)])
        }))
    })
}

/// `Percentiles: 50th = 0, 99th = 1, 99.9th = 12`, in whole milliseconds.
fn latencies(text: &str) -> Option<Measured> {
    let (_, percentiles) = text.split_once("Percentiles: ")?;
    let value = |name: &str| -> Option<f64> {
        let (_, rest) = percentiles.split_once(&format!("{name} = "))?;
        rest.split([',', '\n']).next()?.trim().parse().ok()
    };
    Some(
        Measured::default()
            .with(Figure::P50Ms, value("50th")?)
            .with(Figure::P99Ms, value("99th")?)
            .with(Figure::P999Ms, value("99.9th")?),
    )
}

pub fn rdkafka_produce(scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    const ROW: &str = "rdkafka-performance-produce";
    let (program, count) = (rdkafka_performance()?, record_count(scale, 1_000_000));
    sides(of, &[], |_| {
        let (program, count) = (program.clone(), count.clone());
        Ok(with_fresh_topic(ROW, 4, move |broker, topic, _| {
            let mut command = Command::new(&program);
            command.args(["-P", "-t", topic, "-s", &RECORD_BYTES.to_string(), "-c", &count, "-a", "1", "-q"]);
            command.args(["-b", broker.bootstrap()]);
            let (_, cpu, took) = play(ROW, &mut command, broker)?;
            rdkafka_row(ROW, &count, cpu, took, broker)
        }))
    })
}

pub fn rdkafka_consume(scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    rdkafka_consume_with("rdkafka-performance-consume", &[], scale, of)
}

/// A consumer that wants as much as a fetch may bring of a partition: it must not wait for what it cannot be given.
pub fn rdkafka_consume_large(scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    rdkafka_consume_with("rdkafka-consume-min-1mib", &["-X", "fetch.min.bytes=1048576"], scale, of)
}

fn rdkafka_consume_with(
    row: &'static str,
    settings: &'static [&str],
    scale: &Scale,
    of: &[Against],
) -> Outcome<Vec<Side>> {
    let program = rdkafka_performance()?;
    reading(scale, of, 1, move |broker, count| {
        let mut command = Command::new(&program);
        command.args(["-C", "-t", TOPIC, "-p", "0", "-o", "beginning", "-c", count, "-q"]);
        command.args(settings).args(["-b", broker.bootstrap()]);
        let (_, cpu, took) = play(row, &mut command, broker)?;
        rdkafka_row(row, count, cpu, took, broker)
    })
}

/// The rate is that of the whole process, its start included.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn rdkafka_row(
    row: &'static str,
    count: &str,
    cpu: f64,
    took: Duration,
    broker: &dyn Broker,
) -> Outcome<Rows> {
    let megabytes = count.parse::<f64>().unwrap_or(0.0) * RECORD_BYTES as f64 / 1e6;
    let measured = Measured::default()
        .with(Figure::MegabytesPerSecond, megabytes / took.as_secs_f64())
        .with(Figure::CpuSecondsPerGb, per_gigabyte(cpu, count));
    Ok(vec![(row, with_peak(measured, broker)?)])
}

/// The program from the examples of the librdkafka that the crate `rdkafka` builds, compiled once.
fn rdkafka_performance() -> Outcome<PathBuf> {
    let program = cache_dir()?.join("rdkafka_performance");
    if program.exists() {
        return Ok(program);
    }
    require("cc", "a C compiler (apt: build-essential)")?;
    let client = CLIENTS.iter().find(|client| client.name == "rdkafka");
    let Some(client) = client else { return fail("no client builds librdkafka") };
    client.prepare(&|_| ())?;
    let built = cache_dir()?.join("rdkafka/release/build");
    let home =
        fs::read_dir(&built)?.filter_map(Result::ok).map(|entry| entry.path().join("out")).find(|path| {
            path.join("src/librdkafka.a").is_file() && path.join("examples/rdkafka_performance.c").is_file()
        });
    let Some(home) = home else {
        return fail(format!("no librdkafka with its examples in {}", built.display()));
    };
    compile(&home, &program)?;
    Ok(program)
}

fn compile(home: &Path, program: &Path) -> Outcome<()> {
    let mut command = Command::new("cc");
    command.args(["-O2", "-w", "-I", "src", "-o"]).arg(program);
    command.args(["examples/rdkafka_performance.c", "src/librdkafka.a"]);
    // What the library was built with beyond C itself, as its own build wrote it down.
    let config = fs::read_to_string(home.join("Makefile.config"))?;
    let libraries =
        config.lines().filter_map(|line| line.strip_prefix("LIBS")).flat_map(str::split_whitespace);
    command.args(libraries.filter(|word| word.starts_with("-l"))).args(["-lm", "-lpthread", "-ldl", "-lrt"]);
    command.current_dir(home);
    run("cc", &mut command, &cache_dir()?.join("rdkafka_performance.log"), COMPILE_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reports_of_the_tools_are_read() {
        let text = "700000 records sent, 150000.0 records/sec (146.48 MB/sec), 12.30 ms avg latency, \
                    345.00 ms max latency, 4 ms 50th, 20 ms 95th, 42 ms 99th, 99 ms 99.9th.";
        assert_eq!(number_before(text, " MB/sec)"), Some(146.48));
        assert_eq!(number_before(text, " ms max latency"), Some(345.0));
        assert_eq!(number_before(text, " ms 99th"), Some(42.0));
        assert_eq!(number_before(text, " ms 75th"), None);
        let measured = latencies("Avg latency: 0.4 ms\nPercentiles: 50th = 0, 99th = 1, 99.9th = 12\n");
        assert_eq!(measured.and_then(|measured| measured.0.get(&Figure::P999Ms).copied()), Some(12.0));
    }
}
