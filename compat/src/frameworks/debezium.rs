//! Debezium on Connect: every change of a table becomes a record once, and the records make the table again.
//! Shell: the broker, PostgreSQL or MariaDB, a worker of Connect, a thread that changes rows.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::eos::dumped::{Dumped, Value};
use crate::eos::stage::{Look, Worker};
use crate::failure::{Outcome, While, fail};
use crate::frameworks::connect::ConnectWorker;
use crate::frameworks::mariadb::MariaDb;
use crate::frameworks::postgres::Postgres;
use crate::frameworks::scene::{LEAVE_LIMIT, Scene, prepare, wait_for_folder};
use crate::frameworks::{EXACT, Job, Play, rest};
use crate::process::Process;
use crate::steps::Steps;

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
    play: Play::Own(|scene, steps| play(scene, steps, &POSTGRES, Postgres::start)),
};

pub(super) const JOB_MARIADB: Job = Job {
    name: "debezium-mariadb",
    about: "the job debezium-postgres out of MariaDB's log of rows, with the history of the schema in a topic",
    versions: "Debezium 3.5.0.Final on Kafka Connect 4.3.1, MariaDB 10.11",
    play: Play::Own(|scene, steps| play(scene, steps, &MARIADB, MariaDb::start)),
};

/// A server whose changes are read.
pub(super) trait Database {
    fn port(&self) -> u16;
    /// One statement or several; the rows of the answer, a line each.
    fn ask(&self, statements: &str) -> Outcome<String>;
    /// The server's client in its plainest form; it reads statements and ends at the first one that fails.
    fn client(&self) -> Command;
    fn stop(&mut self) -> Outcome<()>;
}

/// What differs between the databases.
struct Kind {
    pom: &'static str,
    version: &'static str,
    topic: &'static str,
    /// The table.
    table: &'static [&'static str],
    /// What the connector is told, by the server's port and the broker's address.
    connector: fn(u16, &str) -> Json,
}

const POSTGRES: Kind = Kind {
    pom: "debezium",
    version: "Debezium 3.6.1.Final",
    topic: "pg.public.lines",
    table: &[
        "CREATE TABLE lines (id text PRIMARY KEY, \"key\" text, amount bigint)",
        "ALTER TABLE lines REPLICA IDENTITY FULL",
    ],
    connector: |port, _| {
        json!({
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "plugin.name": "pgoutput",
            "database.port": port.to_string(),
            "database.user": "postgres",
            "database.dbname": "postgres",
            "topic.prefix": "pg",
            "table.include.list": "public.lines",
            "publication.autocreate.mode": "filtered",
        })
    },
};

const MARIADB: Kind = Kind {
    pom: "debezium-mariadb",
    version: "Debezium 3.5.0.Final",
    topic: "maria.shop.lines",
    // LINES is a word of its grammar.
    table: &["CREATE TABLE \"lines\" (id varchar(20) PRIMARY KEY, \"key\" varchar(20), amount bigint)"],
    connector: |port, bootstrap| {
        json!({
            "connector.class": "io.debezium.connector.mariadb.MariaDbConnector",
            "database.port": port.to_string(),
            "database.user": "cdc",
            "database.server.id": "184054",
            "topic.prefix": "maria",
            "database.include.list": "shop",
            "table.include.list": "shop.lines",
            "schema.history.internal.kafka.bootstrap.servers": bootstrap,
            "schema.history.internal.kafka.topic": "maria-history",
        })
    },
};

/// Changes rows until it is told to stop.
struct Changes {
    turns: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Outcome<()>>>,
}

impl Changes {
    fn start(database: &impl Database, scene: &Scene<'_>) -> Outcome<Self> {
        let mut command = database.client();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut client = Process::start_as_is("changes", &mut command, &scene.path("changes.log"))?;
        let Some(mut input) = client.child().stdin.take() else { return fail("no pipe for the client") };
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
            match client.wait_until(std::time::Instant::now() + LEAVE_LIMIT)? {
                Some(status) if status.success() => Ok(()),
                ended => fail(format!("the client ended with {ended:?}")),
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
        text.push_str("ALTER TABLE \"lines\" ADD COLUMN note varchar(20) DEFAULT 'later';\n");
    }
    let rows = lines.iter().skip(turn * ROWS_PER_TURN).take(ROWS_PER_TURN).map(|line| {
        let words: Vec<&str> = line.split(',').collect();
        format!("('{}','{}',{})", words[0], words[1], words[2])
    });
    let rows: Vec<String> = rows.collect();
    text.push_str(&format!("INSERT INTO \"lines\" (id, \"key\", amount) VALUES {};\n", rows.join(",")));
    text.push_str(&format!(
        "UPDATE \"lines\" SET amount = amount + 1 WHERE id IN ('{}','{}');\n",
        name(1),
        name(2)
    ));
    text.push_str(&format!("DELETE FROM \"lines\" WHERE id = '{}';\n", name(3)));
    text
}

/// The connector's worker, with what it has written by now.
struct CdcWorker {
    worker: ConnectWorker,
    topic: &'static str,
    log_dir: std::path::PathBuf,
    bootstrap: String,
    written: u64,
}

impl Worker for CdcWorker {
    fn drain(&mut self) -> Outcome<()> {
        self.worker.drain()?;
        if self.log_dir.join(format!("{}-0", self.topic)).exists() {
            let mut connection = crate::wire::Connection::open(&self.bootstrap, Duration::from_secs(10))?;
            self.written = u64::try_from(connection.list_offset(self.topic, 0, -1)?).unwrap_or(0);
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

fn play<D: Database>(
    scene: &mut Scene<'_>,
    steps: &mut Steps,
    kind: &'static Kind,
    start: fn(&Path) -> Outcome<D>,
) -> Outcome<String> {
    let main_class = "org.apache.kafka.connect.cli.ConnectDistributed";
    let program = steps.step("prepare", || prepare(kind.pom, kind.version, main_class, 512, &[]))?;
    let mut database = steps.step("database", || start(scene.stage.work_dir))?;
    let (mut changes, worker) = steps.step("start", || {
        for statement in kind.table {
            database.ask(statement)?;
        }
        for turn in 0..SNAPSHOT_TURNS {
            database.ask(&statements(&scene.lines, turn))?;
        }
        let worker = ConnectWorker::start(scene, &program, 0, None)?;
        let path = "/connectors/lines/config";
        let connector = connector((kind.connector)(database.port(), &scene.bootstrap()));
        rest::insist(worker.port(), "PUT", path, Some(&connector), REST_LIMIT)?;
        let mut look = scene.stage.look()?;
        wait_for_snapshot(scene, kind.topic, &mut look)?;
        let worker = CdcWorker {
            worker,
            topic: kind.topic,
            log_dir: scene.stage.broker.log_dir().to_owned(),
            bootstrap: scene.bootstrap(),
            written: 0,
        };
        Ok((Changes::start(&database, scene)?, worker))
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
            Ok(look.dump(kind.topic, Value::Text)?.record_count() as u64)
        })
    })?;
    scene.weigh(worker.worker.pid());
    steps.step(EXACT, || {
        let dumped = look.dump(kind.topic, Value::Text)?;
        let table =
            database.ask("SELECT concat(id, '|', \"key\", '|', amount) FROM \"lines\" ORDER BY id")?;
        check(&dumped, &table, turns * CHANGES_PER_TURN)
    })?;
    steps.step("leave", || worker.worker.stop(LEAVE_LIMIT))?;
    steps.step("stop-database", || database.stop())?;
    Ok(format!(
        "{due} records of a snapshot and {turns} turns of changes make the table again, each change once, under {kills} \
         kills of the broker ({deaths})"
    ))
}

/// What changes before is a part of the snapshot, and no change that could be counted.
fn wait_for_snapshot(scene: &Scene<'_>, topic: &str, look: &mut Look) -> Outcome<()> {
    wait_for_folder(scene.stage.broker, topic)?;
    scene.settle(SNAPSHOT_RECORDS, || Ok(look.dump(topic, Value::Text)?.record_count() as u64))
}

/// What every connector is told.
fn connector(mut of_its_kind: Json) -> Json {
    let common = json!({
        "tasks.max": "1",
        "database.hostname": "127.0.0.1",
        "database.password": "none",
        "exactly.once.support": "required",
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "key.converter.schemas.enable": "false",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "topic.creation.default.replication.factor": "-1",
        "topic.creation.default.partitions": "1",
    });
    if let (Some(all), Json::Object(common)) = (of_its_kind.as_object_mut(), common) {
        all.extend(common);
    }
    of_its_kind
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
            let source = &change["source"];
            let place = ["lsn", "file", "pos", "row"].map(|name| source[name].to_string());
            if !places.insert((place, id.clone())) {
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
