//! Debezium on Connect: every change of a PostgreSQL table becomes a record once, and the records make the table again.
//! Shell: the broker, PostgreSQL, a worker of Connect, a thread that changes rows.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::eos::dumped::{Dumped, Value};
use crate::eos::stage::{Look, Worker};
use crate::failure::{Outcome, While, fail};
use crate::frameworks::connect::ConnectWorker;
use crate::frameworks::postgres::Postgres;
use crate::frameworks::scene::{LEAVE_LIMIT, Scene, prepare, wait_for_folder};
use crate::frameworks::{EXACT, Job, rest};
use crate::process::Process;
use crate::steps::Steps;

const TOPIC: &str = "pg.public.lines";
const ROWS_PER_TURN: usize = 50;
const TURN: Duration = Duration::from_millis(100);
/// Each turn inserts its rows, changes two and deletes one.
const CHANGES_PER_TURN: u64 = ROWS_PER_TURN as u64 + 3;
/// A delete is followed by its tombstone.
const RECORDS_PER_TURN: u64 = CHANGES_PER_TURN + 1;
/// In this turn the table gets another column.
const SCHEMA_TURN: usize = 60;
/// Rows that are there before the connector is, and come by its snapshot.
const SNAPSHOT_TURNS: usize = 4;
const SNAPSHOT_RECORDS: u64 = (SNAPSHOT_TURNS * (ROWS_PER_TURN - 1)) as u64;
const PROGRESS_PER_ROUND: u64 = 2_000;
const REST_LIMIT: Duration = Duration::from_secs(120);

pub(super) const JOB: Job = Job {
    name: "debezium-postgres",
    about: "a table's snapshot, inserts, updates, deletes and a new column through Connect, exactly once",
    versions: "Debezium 3.6.1.Final on Kafka Connect 4.3.1, PostgreSQL 15",
    play,
};

/// Changes rows until it is told to stop.
struct Changes {
    turns: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Outcome<()>>>,
}

impl Changes {
    fn start(postgres: &Postgres, scene: &Scene<'_>) -> Outcome<Self> {
        let mut command = postgres.psql();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut psql = Process::start_as_is("psql", &mut command, &scene.path("changes.log"))?;
        let Some(mut input) = psql.child().stdin.take() else { return fail("no pipe for psql") };
        let (turns, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, told, lines) = (turns.clone(), is_over.clone(), scene.lines.clone());
        let thread = std::thread::Builder::new().name("changes".to_owned()).spawn(move || {
            for turn in SNAPSHOT_TURNS.. {
                if told.load(Ordering::Relaxed) {
                    break;
                }
                input.write_all(statements(&lines, turn).as_bytes())?;
                counted.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(TURN);
            }
            drop(input);
            match psql.wait_until(std::time::Instant::now() + LEAVE_LIMIT)? {
                Some(status) if status.success() => Ok(()),
                ended => fail(format!("psql ended with {ended:?}")),
            }
        })?;
        Ok(Self { turns, is_over, thread: Some(thread) })
    }

    fn leave(&mut self) -> Outcome<()> {
        self.is_over.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => fail("the thread that changed rows panicked"),
            None => Ok(()),
        }
    }
}

impl Worker for Changes {
    fn drain(&mut self) -> Outcome<()> {
        Ok(())
    }

    fn progress(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    fn last_notes(&self) -> String {
        String::new()
    }
}

/// What a turn does to the table, each statement a transaction.
fn statements(lines: &[String], turn: usize) -> String {
    let name = |row: usize| crate::frameworks::truth::name(turn * ROWS_PER_TURN + row);
    let mut text = String::new();
    if turn == SCHEMA_TURN {
        text.push_str("ALTER TABLE lines ADD COLUMN note text DEFAULT 'later';\n");
    }
    let rows = lines.iter().skip(turn * ROWS_PER_TURN).take(ROWS_PER_TURN).map(|line| {
        let words: Vec<&str> = line.split(',').collect();
        format!("('{}','{}',{})", words[0], words[1], words[2])
    });
    let rows: Vec<String> = rows.collect();
    text.push_str(&format!("INSERT INTO lines (id, key, amount) VALUES {};\n", rows.join(",")));
    text.push_str(&format!(
        "UPDATE lines SET amount = amount + 1 WHERE id IN ('{}','{}');\n",
        name(1),
        name(2)
    ));
    text.push_str(&format!("DELETE FROM lines WHERE id = '{}';\n", name(3)));
    text
}

/// The connector's worker, with what it has written by now.
struct CdcWorker {
    worker: ConnectWorker,
    log_dir: std::path::PathBuf,
    bootstrap: String,
    written: u64,
}

impl Worker for CdcWorker {
    fn drain(&mut self) -> Outcome<()> {
        self.worker.drain()?;
        if self.log_dir.join(format!("{TOPIC}-0")).exists() {
            let mut connection = crate::wire::Connection::open(&self.bootstrap, Duration::from_secs(10))?;
            self.written = u64::try_from(connection.list_offset(TOPIC, 0, -1)?).unwrap_or(0);
        }
        Ok(())
    }

    fn progress(&self) -> u64 {
        self.written
    }

    fn last_notes(&self) -> String {
        self.worker.last_notes()
    }
}

fn play(scene: &mut Scene<'_>, steps: &mut Steps) -> Outcome<String> {
    let main_class = "org.apache.kafka.connect.cli.ConnectDistributed";
    let program =
        steps.step("prepare", || prepare("debezium", "Debezium 3.6.1.Final", main_class, 512, &[]))?;
    let mut postgres = steps.step("postgres", || Postgres::start(scene.stage.work_dir))?;
    let (mut changes, worker) = steps.step("start", || {
        postgres.ask("CREATE TABLE lines (id text PRIMARY KEY, key text, amount bigint)")?;
        postgres.ask("ALTER TABLE lines REPLICA IDENTITY FULL")?;
        for turn in 0..SNAPSHOT_TURNS {
            postgres.ask(&statements(&scene.lines, turn))?;
        }
        let worker = ConnectWorker::start(scene, &program, 0, None)?;
        let path = "/connectors/lines/config";
        rest::insist(worker.port(), "PUT", path, Some(&connector(postgres.port())), REST_LIMIT)?;
        let mut look = scene.stage.look()?;
        wait_for_snapshot(scene, &mut look)?;
        let worker = CdcWorker {
            worker,
            log_dir: scene.stage.broker.log_dir().to_owned(),
            bootstrap: scene.bootstrap(),
            written: 0,
        };
        Ok((Changes::start(&postgres, scene)?, worker))
    })?;
    let (kills, work_dir, mut workers) = (scene.stage.kills, scene.stage.work_dir, [worker]);
    let deaths = steps.step(&format!("{kills}-kills"), || {
        scene.stage.kill_repeatedly(&mut changes, &mut workers, PROGRESS_PER_ROUND, |_, _, one| {
            one.worker.kill_and_start(&program, work_dir)
        })
    })?;
    let [mut worker] = workers;
    steps.step("fed", || changes.leave())?;
    let turns = changes.progress();
    let due = SNAPSHOT_RECORDS + turns * RECORDS_PER_TURN;
    let mut look = scene.stage.look()?;
    steps.step("settle", || {
        scene.settle(due, || {
            worker.drain()?;
            Ok(look.dump(TOPIC, Value::Text)?.record_count() as u64)
        })
    })?;
    scene.weigh(worker.worker.pid());
    steps.step(EXACT, || {
        let dumped = look.dump(TOPIC, Value::Text)?;
        let table = postgres.ask("SELECT id, key, amount FROM lines ORDER BY id")?;
        check(&dumped, &table, turns * CHANGES_PER_TURN)
    })?;
    steps.step("leave", || worker.worker.stop(LEAVE_LIMIT))?;
    steps.step("stop-postgres", || postgres.stop())?;
    Ok(format!(
        "{due} records of a snapshot and {turns} turns of changes make the table again, each change once, under {kills} \
         kills of the broker ({deaths})"
    ))
}

/// What changes before is a part of the snapshot, and no change that could be counted.
fn wait_for_snapshot(scene: &Scene<'_>, look: &mut Look) -> Outcome<()> {
    wait_for_folder(scene.stage.broker, TOPIC)?;
    scene.settle(SNAPSHOT_RECORDS, || Ok(look.dump(TOPIC, Value::Text)?.record_count() as u64))
}

fn connector(port: u16) -> Json {
    json!({
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "plugin.name": "pgoutput",
        "database.hostname": "127.0.0.1",
        "database.port": port.to_string(),
        "database.user": "postgres",
        "database.password": "none",
        "database.dbname": "postgres",
        "topic.prefix": "pg",
        "table.include.list": "public.lines",
        "publication.autocreate.mode": "filtered",
        "exactly.once.support": "required",
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "key.converter.schemas.enable": "false",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "topic.creation.default.replication.factor": "-1",
        "topic.creation.default.partitions": "1",
    })
}

/// Replays the records into a table, and counts each place in the server's log.
fn check(dumped: &Dumped, table: &str, change_count: u64) -> Outcome<()> {
    let mut rows: BTreeMap<String, String> = BTreeMap::new();
    let mut places = BTreeSet::new();
    let mut changes = 0;
    for (key, value) in dumped.partitions.values().flatten() {
        let key: Json = serde_json::from_str(key).while_doing(|| format!("reading the key {key}"))?;
        let id = key["id"].as_str().unwrap_or_default().to_owned();
        if value == "-" {
            if rows.contains_key(&id) {
                return fail(format!("a tombstone came for {id}, which was not deleted"));
            }
            continue;
        }
        let change: Json = serde_json::from_str(value).while_doing(|| format!("reading {value}"))?;
        if change["op"] != "r" {
            changes += 1;
            // Rows of one statement lie at different places.
            if !places.insert((change["source"]["lsn"].to_string(), id.clone())) {
                return fail(format!("this change came twice: {value}"));
            }
        }
        match (&change["after"], change["op"].as_str()) {
            (Json::Null, _) => rows.remove(&id),
            (after, _) => {
                let text = |name: &str| after[name].as_str().unwrap_or_default().to_owned();
                rows.insert(id.clone(), format!("{}|{}|{}", text("id"), text("key"), after["amount"]))
            }
        };
    }
    let (found, expected): (Vec<&str>, Vec<&str>) =
        (rows.values().map(String::as_str).collect(), table.lines().collect());
    if changes != change_count {
        return fail(format!("{changes} changes came for {change_count}"));
    }
    match found.iter().zip(&expected).find(|(found, expected)| found != expected) {
        None if found.len() == expected.len() => Ok(()),
        first => {
            fail(format!("{} rows for {}; the first that differs: {first:?}", found.len(), expected.len()))
        }
    }
}
