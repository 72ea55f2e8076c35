//! librdkafka through the crate rdkafka: its hand of the scenario told in compat/README.md.
//! Shell: sockets and standard streams.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

type Outcome = Result<(), Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(30);

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [bootstrap, verb, topic, partitions, seconds] = arguments.as_slice()
        && verb == "transaction-rate"
    {
        return transaction_rate(bootstrap, topic, partitions.parse()?, seconds.parse()?);
    }
    let bootstrap = arguments.into_iter().next().ok_or("the bootstrap address is missing")?;
    // Line by line without holding standard input: a member waits for its `leave` on a thread of its own.
    for line in std::iter::from_fn(|| std::io::stdin().lines().next()) {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["quit"] => return Ok(()),
            ["member", topic, group] => {
                return be_member(&bootstrap, topic, group);
            }
            words => match perform(&bootstrap, words) {
                Ok(()) => say("ok"),
                Err(error) => say(&format!("error {}", error.to_string().replace('\n', " "))),
            },
        }
    }
    Ok(())
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("client.id", "compat-rdkafka");
    // The login comes from the environment, where the broker asks for one.
    if let Ok(mechanism) = std::env::var("SASL_MECHANISM") {
        config.set("security.protocol", "SASL_PLAINTEXT").set("sasl.mechanism", mechanism);
        for (key, variable) in [("sasl.username", "SASL_USERNAME"), ("sasl.password", "SASL_PASSWORD")] {
            config.set(key, std::env::var(variable).unwrap_or_default());
        }
    }
    config
}

fn admin(bootstrap: &str) -> Result<AdminClient<DefaultClientContext>, Box<dyn Error>> {
    Ok(config(bootstrap).create()?)
}

/// How many transactions one producer commits in a second, one after the other, with one record in each partition.
/// The first second counts for nothing.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn transaction_rate(bootstrap: &str, topic: &str, partitions: i32, seconds: u64) -> Outcome {
    let mut config = config(bootstrap);
    // It is polled here: the thread of a `ThreadedProducer` looks for delivery reports every 100 ms.
    let producer: BaseProducer = config.set("transactional.id", topic).create()?;
    producer.init_transactions(PATIENCE)?;
    let run = |span: Duration| -> Result<Vec<f64>, Box<dyn Error>> {
        let (value, begin, mut times_ms) = ([0_u8; 100], Instant::now(), Vec::new());
        while begin.elapsed() < span {
            let start = Instant::now();
            producer.begin_transaction()?;
            for partition in 0..partitions {
                let record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(&value);
                producer.send(record).map_err(|(error, _)| error)?;
            }
            producer.flush(PATIENCE)?;
            producer.commit_transaction(PATIENCE)?;
            times_ms.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times_ms.sort_by(f64::total_cmp);
        Ok(times_ms)
    };
    run(Duration::from_secs(1))?;
    let times_ms = run(Duration::from_secs(seconds))?;
    let count = times_ms.len();
    say(&format!(
        "{:.3} per s, {:.4} ms 50th, {:.4} ms 99th, {:.4} ms max",
        count as f64 / seconds as f64,
        times_ms[count / 2],
        times_ms[count * 99 / 100],
        times_ms[count - 1]
    ));
    Ok(())
}

/// The admin calls of the crate are futures that its own thread completes.
fn wait<F: Future>(future: F) -> F::Output {
    futures_executor::block_on(future)
}

fn perform(bootstrap: &str, words: &[&str]) -> Outcome {
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    match words {
        ["codecs"] => say("codecs none,gzip,snappy,lz4,zstd"),
        ["create", topic, count, replicas] => {
            let topic = NewTopic::new(topic, count.parse()?, TopicReplication::Fixed(replicas.parse()?));
            for result in wait(admin(bootstrap)?.create_topics([&topic], &options))? {
                result.map_err(|(topic, code)| format!("{topic}: {code}"))?;
            }
        }
        ["produce", topic, codec, first, count, value_bytes, timestamp] => {
            produce(
                bootstrap,
                topic,
                codec,
                first.parse()?..(first.parse::<i64>()? + count.parse::<i64>()?),
                value_bytes.parse()?,
                timestamp.parse()?,
            )?;
        }
        ["committed", group] => committed(bootstrap, group)?,
        ["seek", topic, timestamp] => seek(bootstrap, topic, timestamp.parse()?)?,
        ["describe-config", topic, key] => {
            for result in
                wait(admin(bootstrap)?.describe_configs([&ResourceSpecifier::Topic(topic)], &options))?
            {
                let value = result?.entry_map().get(key).and_then(|entry| entry.value.clone());
                say(&format!("config {key} {}", value.unwrap_or_default()));
            }
        }
        ["alter-config", topic, key, value] => {
            let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(key, value);
            for result in wait(admin(bootstrap)?.alter_configs([&change], &options))? {
                result.map_err(|(_, code)| code.to_string())?;
            }
        }
        ["exists", topic] => {
            let consumer: BaseConsumer = config(bootstrap).create()?;
            let metadata = consumer.fetch_metadata(None, PATIENCE)?;
            say(&format!("exists {}", metadata.topics().iter().any(|listed| listed.name() == *topic)));
        }
        ["delete", topic] => {
            for result in wait(admin(bootstrap)?.delete_topics(&[topic], &options))? {
                result.map_err(|(topic, code)| format!("{topic}: {code}"))?;
            }
        }
        _ => return Err(format!("unknown words {words:?}").into()),
    }
    Ok(())
}

/// Remembers whether any record was refused.
struct Deliveries(Arc<AtomicBool>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &rdkafka::producer::DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            eprintln!("not delivered: {error}");
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

fn produce(
    bootstrap: &str,
    topic: &str,
    codec: &str,
    ids: std::ops::Range<i64>,
    value_bytes: usize,
    timestamp: i64,
) -> Outcome {
    let refused = Arc::new(AtomicBool::new(false));
    let producer: ThreadedProducer<Deliveries> = config(bootstrap)
        .set("compression.type", codec)
        .set("enable.idempotence", "true")
        .set("message.max.bytes", "1048576")
        .set("linger.ms", "5")
        .create_with_context(Deliveries(Arc::clone(&refused)))?;
    for id in ids {
        let key = (id % 5 != 0 || id % 7 == 0).then(|| format!("k{id}"));
        let value: Option<Vec<u8>> = (id % 7 != 0 || value_bytes >= 1000)
            .then(|| format!("{id}/").bytes().cycle().take(value_bytes).collect());
        let headers = OwnedHeaders::new()
            .insert(Header { key: "id", value: Some(&id.to_string()) })
            .insert(Header { key: "codec", value: Some(codec) })
            .insert(Header { key: "empty", value: Some("") });
        let mut record = BaseRecord::to(topic)
            .partition(i32::try_from(id % 3)?)
            .timestamp(timestamp + id)
            .headers(headers);
        record.key = key.as_ref();
        record.payload = value.as_ref();
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(PATIENCE)?;
    if refused.load(Ordering::Relaxed) {
        return Err("a record was not delivered".into());
    }
    Ok(())
}

/// Tells every assignment. In the new protocol it comes and goes in pieces, and we keep the sum.
#[derive(Default)]
struct Rebalances {
    held: Mutex<BTreeSet<i32>>,
}

impl Rebalances {
    fn say_held(&self, change: impl FnOnce(&mut BTreeSet<i32>)) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut held);
        let text: Vec<String> = held.iter().map(i32::to_string).collect();
        say(&format!("assigned {}", if text.is_empty() { "-".to_owned() } else { text.join(",") }));
    }
}

fn numbers(partitions: &TopicPartitionList) -> BTreeSet<i32> {
    partitions.elements().iter().map(|element| element.partition()).collect()
}

impl ClientContext for Rebalances {}

impl ConsumerContext for Rebalances {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) if is_new_protocol() => {
                self.say_held(|held| held.extend(numbers(partitions)));
            }
            Rebalance::Assign(partitions) => self.say_held(|held| *held = numbers(partitions)),
            Rebalance::Revoke(partitions) if is_new_protocol() => {
                let gone = numbers(partitions);
                self.say_held(|held| held.retain(|partition| !gone.contains(partition)));
            }
            _ => {}
        }
    }
}

/// In the new protocol the broker says how long a session is.
fn is_new_protocol() -> bool {
    std::env::var("GROUP_PROTOCOL").is_ok_and(|protocol| protocol == "consumer")
}

fn be_member(bootstrap: &str, topic: &str, group: &str) -> Outcome {
    let leave = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&leave);
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().read_line(&mut String::new());
        told.store(true, Ordering::Relaxed);
    });
    let mut config = config(bootstrap);
    config.set("group.id", group).set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
    match is_new_protocol() {
        true => config.set("group.protocol", "consumer"),
        false => config.set("session.timeout.ms", "6000").set("heartbeat.interval.ms", "1000"),
    };
    let consumer: BaseConsumer<Rebalances> = config.create_with_context(Rebalances::default())?;
    consumer.subscribe(&[topic])?;
    while !leave.load(Ordering::Relaxed) {
        let mut count = 0;
        // A commit after every batch, as an application would do, not after every record.
        while let Some(message) = consumer.poll(Duration::from_millis(if count == 0 { 100 } else { 0 })) {
            match message {
                Ok(message) => say_record(&message),
                Err(error) => say(&format!("note {error}")),
            }
            count += 1;
            if count == 500 {
                break;
            }
        }
        if count > 0 {
            commit(&consumer);
        }
    }
    commit(&consumer);
    drop(consumer);
    say("left");
    Ok(())
}

fn commit(consumer: &BaseConsumer<Rebalances>) {
    if let Err(error) = consumer.commit_consumer_state(CommitMode::Sync) {
        say(&format!("note {error}"));
    }
}

fn committed(bootstrap: &str, group: &str) -> Outcome {
    let consumer: BaseConsumer = config(bootstrap).set("group.id", group).create()?;
    let metadata = consumer.fetch_metadata(None, PATIENCE)?;
    let mut wanted = TopicPartitionList::new();
    let prefix = group.trim_end_matches("-group");
    for topic in metadata.topics().iter().filter(|topic| topic.name().starts_with(prefix)) {
        wanted.add_partition_range(topic.name(), 0, i32::try_from(topic.partitions().len())? - 1);
    }
    for element in consumer.committed_offsets(wanted, PATIENCE)?.elements() {
        if let Offset::Offset(offset) = element.offset() {
            say(&format!("offset {} {offset}", element.partition()));
        }
    }
    Ok(())
}

fn seek(bootstrap: &str, topic: &str, timestamp: i64) -> Outcome {
    let consumer: BaseConsumer =
        config(bootstrap).set("group.id", "unused").set("enable.auto.commit", "false").create()?;
    let mut wanted = TopicPartitionList::new();
    for partition in 0..3 {
        wanted.add_partition_offset(topic, partition, Offset::Offset(timestamp))?;
    }
    consumer.assign(&consumer.offsets_for_times(wanted, PATIENCE)?)?;
    let mut waiting = BTreeSet::from([0, 1, 2]);
    while !waiting.is_empty() {
        if let Some(message) = consumer.poll(PATIENCE) {
            let message = message?;
            if waiting.remove(&message.partition()) {
                say_record(&message);
            }
        }
    }
    Ok(())
}

fn say_record(message: &BorrowedMessage<'_>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let key = message.key().map_or("-".to_owned(), text);
    let (length, crc) = message
        .payload()
        .map_or((-1, 0), |value| (i64::try_from(value.len()).unwrap_or(-1), crc32fast::hash(value)));
    let headers: Vec<String> = message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .map(|header| format!("{}={}", header.key, text(header.value.unwrap_or_default())))
            .collect()
    });
    say(&format!(
        "record {} {} {} {key} {length} {crc} {}",
        message.partition(),
        message.offset(),
        message.timestamp().to_millis().unwrap_or(-1),
        headers.join(",")
    ));
}
