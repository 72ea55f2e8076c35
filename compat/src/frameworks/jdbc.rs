//! A JDBC sink on Connect: a topic's lines become rows of PostgreSQL, where a trigger keeps sums as a continuous view would.
//! Shell: the broker, PostgreSQL, a worker of Connect.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::eos::stage::Worker;
use crate::failure::{Outcome, While, fail};
use crate::frameworks::connect::ConnectWorker;
use crate::frameworks::debezium::Database;
use crate::frameworks::postgres::Postgres;
use crate::frameworks::scene::{LEAVE_LIMIT, PARTITION_COUNT, Scene, prepare};
use crate::frameworks::{EXACT, Job, Play, rest, truth};
use crate::steps::Steps;

const TOPIC: &str = "jdbc-lines";
const LINES_PER_SECOND: usize = 500;
const PROGRESS_PER_ROUND: u64 = 1_000;
const REST_LIMIT: Duration = Duration::from_secs(120);
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// A row that is written again is no insertion, so the sums count each line once.
const TABLES: [&str; 4] = [
    "CREATE TABLE lines (id text PRIMARY KEY, key text, amount bigint)",
    "CREATE TABLE sums (key text PRIMARY KEY, sum bigint)",
    "CREATE FUNCTION add_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     INSERT INTO sums VALUES (NEW.key, NEW.amount) ON CONFLICT (key) DO UPDATE SET sum = sums.sum + NEW.amount; \
     RETURN NULL; END $$",
    "CREATE TRIGGER add_up AFTER INSERT ON lines FOR EACH ROW EXECUTE FUNCTION add_up()",
];

pub(super) const JOB: Job = Job {
    name: "jdbc-sink",
    about: "a topic to a table of PostgreSQL by upserts, and sums kept by a trigger, which is what PipelineDB did",
    versions: "Debezium's JDBC sink 3.5.0.Final on Kafka Connect 4.3.1, PostgreSQL 15",
    play: Play::Own(play),
};

/// The worker of Connect and how many rows there are.
struct SinkWorker<'a> {
    worker: ConnectWorker,
    postgres: &'a Postgres,
    rows: u64,
    looked_at: Instant,
}

impl Worker for SinkWorker<'_> {
    fn drain(&mut self) -> Outcome<()> {
        self.worker.drain()?;
        if self.looked_at.elapsed() > LOOK_PAUSE {
            let text = self.postgres.ask("SELECT count(*) FROM lines")?;
            self.rows = text.trim().parse().while_doing(|| format!("reading the count {text:?}"))?;
            self.looked_at = Instant::now();
        }
        Ok(())
    }

    fn progress(&self) -> u64 {
        self.rows
    }

    fn last_notes(&self) -> String {
        self.worker.last_notes()
    }
}

fn play(scene: &mut Scene<'_>, steps: &mut Steps) -> Outcome<String> {
    let main_class = "org.apache.kafka.connect.cli.ConnectDistributed";
    let program = steps.step("prepare", || prepare("jdbc", "Debezium's JDBC sink", main_class, 512, &[]))?;
    let mut postgres = steps.step("postgres", || Postgres::start(scene.stage.work_dir))?;
    let mut look = scene.stage.look()?;
    let (mut feed, worker) = steps.step("start", || {
        TABLES.iter().try_for_each(|statement| postgres.ask(statement).map(drop))?;
        look.create(TOPIC, PARTITION_COUNT)?;
        let path = scene.path("rows.txt");
        std::fs::write(&path, scene.lines.iter().map(|line| value(line)).collect::<Vec<_>>().join("\n"))?;
        let order = format!("feed {TOPIC} {PARTITION_COUNT} {} {LINES_PER_SECOND}", path.display());
        let feed = scene.stage.hand("feed", &order)?;
        let worker = ConnectWorker::start(scene, &program, 0, None)?;
        let connector = connector(postgres.port());
        rest::insist(worker.port(), "PUT", "/connectors/lines/config", Some(&connector), REST_LIMIT)?;
        Ok((feed, SinkWorker { worker, postgres: &postgres, rows: 0, looked_at: Instant::now() }))
    })?;
    let (kills, work_dir, mut workers) = (scene.stage.kills, scene.stage.work_dir, [worker]);
    let deaths = steps.step(&format!("{kills}-kills"), || {
        scene.stage.kill_repeatedly(&mut feed, &mut workers, PROGRESS_PER_ROUND, |_, _, one| {
            one.worker.kill_and_start(&program, work_dir)
        })
    })?;
    let [mut worker] = workers;
    steps.step("fed", || feed.leave(LEAVE_LIMIT))?;
    let count = feed.progress();
    steps.step("settle", || {
        scene.settle(count, || {
            worker.drain()?;
            Ok(worker.rows)
        })
    })?;
    scene.weigh(worker.worker.pid());
    steps.step(EXACT, || {
        let rows = postgres.ask("SELECT id || ',' || key || ',' || lpad(amount::text, 4, '0') FROM lines")?;
        truth::check_once("the table", scene.fed(count), rows.lines())?;
        let sums = postgres.ask("SELECT key || ' ' || sum FROM sums ORDER BY key")?;
        let due: Vec<String> =
            truth::sums(scene.fed(count)).iter().map(|(key, sum)| format!("{key} {sum}")).collect();
        match sums.lines().zip(&due).find(|(found, due)| found != due) {
            None if sums.lines().count() == due.len() => Ok(()),
            first => fail(format!("{} sums for {}, {first:?}", sums.lines().count(), due.len())),
        }
    })?;
    steps.step("leave", || worker.worker.stop(LEAVE_LIMIT))?;
    drop(worker);
    steps.step("stop-postgres", || postgres.stop())?;
    Ok(format!(
        "{count} lines are rows, and the sums are right, under {kills} kills of the broker ({deaths})"
    ))
}

/// A line as Connect's JSON with its schema, which the sink needs.
fn value(line: &str) -> String {
    let mut words = line.split(',');
    let mut word = || words.next().unwrap_or_default();
    let (id, key, amount) = (word(), word(), word().trim_start_matches('0'));
    format!(
        "{{\"schema\":{{\"type\":\"struct\",\"fields\":[{{\"field\":\"id\",\"type\":\"string\"}},\
         {{\"field\":\"key\",\"type\":\"string\"}},{{\"field\":\"amount\",\"type\":\"int64\"}}]}},\
         \"payload\":{{\"id\":\"{id}\",\"key\":\"{key}\",\"amount\":{amount}}}}}"
    )
}

fn connector(port: u16) -> Json {
    json!({
        // Two tasks would wait for each other in the trigger, and PostgreSQL ends one of them.
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "tasks.max": "1",
        "topics": TOPIC,
        "connection.url": format!("jdbc:postgresql://127.0.0.1:{port}/postgres"),
        "connection.username": "postgres",
        "connection.password": "none",
        "insert.mode": "upsert",
        "primary.key.mode": "record_value",
        "primary.key.fields": "id",
        "schema.evolution": "none",
        "collection.name.format": "lines",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_record_with_a_schema() {
        let value: Json = serde_json::from_str(&value("r0000007,k01,0050")).expect("it is JSON");
        assert_eq!(value["payload"], json!({"id": "r0000007", "key": "k01", "amount": 50}));
        assert_eq!(value["schema"]["fields"][2]["type"], "int64");
    }
}
