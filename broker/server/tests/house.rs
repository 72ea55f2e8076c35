//! What the documents claim of the source, held against the source.
//! Shell: reads the files of the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms, lowest first, as ARCHITECTURE.md lists them.
const ROOMS: [&str; 19] = [
    "model",
    "env",
    "records",
    "protocol",
    "balance",
    "config",
    "log",
    "security",
    "quota",
    "network",
    "metadata",
    "telemetry",
    "replica",
    "coordinator",
    "api",
    "admin",
    "lab",
    "server",
    "sim",
];

struct Source {
    /// From the root of the repository.
    path: String,
    text: String,
}

impl Source {
    /// The lines that are no unit test.
    fn without_tests(&self) -> String {
        let mut kept = String::with_capacity(self.text.len());
        let mut lines = self.text.lines().peekable();
        while let Some(line) = lines.next() {
            let is_test = line.trim() == "#[cfg(test)]";
            match lines.peek() {
                // Unit tests are the last thing in a file.
                Some(next) if is_test && next.contains("mod ") && next.ends_with('{') => break,
                Some(_) if is_test => drop(lines.next()),
                _ => {
                    kept.push_str(line);
                    kept.push('\n');
                }
            }
        }
        kept
    }

    /// The lines that are neither a comment nor a unit test.
    fn shipping(&self) -> String {
        let text = self.without_tests();
        text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("//")).collect()
    }

    fn is_test(&self) -> bool {
        ["/tests/", "tests.rs", "/benches/", "/examples/", "testing.rs"]
            .iter()
            .any(|part| self.path.contains(part))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every source file that is written by hand below a folder of the repository.
fn sources(folder: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                if !["target", "generated", ".generated", "node_modules"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                let path = path.strip_prefix(root()).expect("below the root").display().to_string();
                sources.push(Source { path, text });
            }
        }
    }
    assert!(!sources.is_empty(), "{folder} has sources");
    sources
}

fn room_sources(room: &str) -> Vec<Source> {
    sources(&format!("broker/{room}/src"))
}

/// Whether a text has a name, not as a part of another. A name may begin with its dot.
fn contains_word(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let begins_apart =
        |at: usize| word.starts_with('.') || !text[..at].chars().next_back().is_some_and(is_part);
    let ends_apart = |at: usize| !text[at + word.len()..].chars().next().is_some_and(is_part);
    text.match_indices(word).any(|(at, _)| begins_apart(at) && ends_apart(at))
}

fn none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn the_first_two_lines_of_a_file_say_what_it_owns_and_whether_it_is_core_or_shell() {
    let says = |source: &&Source| {
        let mut lines = source.text.lines();
        let owns = lines.next().is_some_and(|line| line.starts_with("//! "));
        let kind = lines.next().unwrap_or_default();
        !(owns && (kind.starts_with("//! Core") || kind.starts_with("//! Shell")))
    };
    let all = ["broker", "compat/src", "protocol-tests"].into_iter().flat_map(sources).collect::<Vec<_>>();
    none(all.iter().filter(says).map(|source| source.path.clone()).collect(), "line 2 says Core or Shell");
}

#[test]
fn only_the_outside_world_is_named_where_it_lives() {
    // What a machine gives is in `env`; `server` opens the files that its arguments name.
    let words =
        ["tokio::runtime", "std::fs", "Instant", "SystemTime", "rand::", "getrandom", "thread::sleep"];
    let allowed = [
        ("broker/server/src/main.rs", "std::fs"),
        ("broker/server/src/ready.rs", "std::fs"),
        // Waits, before anything else runs, for the lock of a process that is about to end.
        ("broker/metadata/src/store.rs", "thread::sleep"),
    ];
    let mut found = Vec::new();
    for source in ROOMS.iter().filter(|room| **room != "env").flat_map(|room| room_sources(room)) {
        let text = source.shipping();
        for word in words {
            // A path goes on behind its colons.
            let named = match word.strip_suffix("::") {
                Some(name) => contains_word(&text, name) && text.contains(word),
                None => contains_word(&text, word),
            };
            if named && !source.is_test() && !allowed.contains(&(source.path.as_str(), word)) {
                found.push(format!("{} names {word}", source.path));
            }
        }
    }
    none(found, "clock, files, randomness and runtime are behind the traits of env");
}

/// What the coordinators ask other nodes for, as their clients; of all else the handlers know the wire.
const CLIENTS_OF_OTHER_COORDINATORS: [&str; 2] = ["share/remote.rs", "transaction/remote_markers.rs"];

#[test]
fn the_wires_messages_end_at_the_handlers_of_coordinators() {
    let is_client = |source: &Source| {
        CLIENTS_OF_OTHER_COORDINATORS.iter().any(|client| source.path.ends_with(&format!("src/{client}")))
    };
    let sources = room_sources("coordinator");
    assert_eq!(
        sources.iter().filter(|source| is_client(source)).count(),
        CLIENTS_OF_OTHER_COORDINATORS.len()
    );
    // Tests too: what they need of the wire is the handlers' to test.
    let naming = |source: &Source| {
        !is_client(source)
            && ["ottla_protocol::messages", "ottla_protocol::{messages", "kafka_protocol"]
                .iter()
                .any(|name| source.text.contains(name))
    };
    let found = sources.iter().filter(|source| naming(source)).map(|source| source.path.clone()).collect();
    none(found, "requests and responses are translated in the handlers' room");
}

/// What a version of a request means is said where requests are read. What a record's version means is another thing.
#[test]
fn versions_of_requests_end_at_the_handlers_of_metadata() {
    let naming = |source: &Source| !source.is_test() && contains_word(&source.shipping(), "version: i16");
    let sources = room_sources("metadata");
    let found = sources.iter().filter(|source| naming(source)).map(|source| source.path.clone()).collect();
    none(
        found,
        "the handlers' room knows what a request's version has, and the controller decides without it",
    );
}

/// Tasks that end with a connection, and the owners of others, which let go of what has ended.
const DETACHING: [&str; 7] = [
    "admin/src/server.rs",
    "network/src/handshake.rs",
    "network/src/http_preface.rs",
    "network/src/listener.rs",
    "network/src/server.rs",
    "api/src/owned_tasks.rs",
    "coordinator/src/runtime/task_set.rs",
];

#[test]
fn no_task_is_detached_but_a_connection_s() {
    let rooms = ROOMS.into_iter().filter(|room| *room != "sim");
    let detaching: BTreeSet<String> = rooms
        .flat_map(room_sources)
        .filter(|source| !source.is_test() && source.shipping().contains(".detach()"))
        .map(|source| source.path)
        .collect();
    let known: BTreeSet<String> = DETACHING.iter().map(|file| format!("broker/{file}")).collect();
    assert_eq!(detaching, known, "a task has an owner that bounds and ends it");
}

/// A level can be set for what writes lines, and for nothing else.
#[test]
fn a_room_that_writes_log_lines_is_a_logger() {
    let loggers = std::fs::read_to_string(root().join("broker/server/src/serve.rs")).expect("a source file");
    let writes = |room: &&str| {
        room_sources(room).iter().any(|source| !source.is_test() && source.shipping().contains("tracing::"))
    };
    let of_processes = ROOMS.into_iter().filter(|room| *room != "sim");
    let (with, without): (Vec<&str>, Vec<&str>) = of_processes.partition(writes);
    let is_named = |room: &str| loggers.contains(&format!("\"ottla_{room}\""));
    let missing = with.iter().filter(|room| !is_named(room)).map(|room| format!("{room} is no logger"));
    let idle = without.iter().filter(|room| is_named(room)).map(|room| format!("{room} logs nothing"));
    none(missing.chain(idle).collect(), "the loggers of the process are the rooms that write lines");
}

#[test]
fn sled_is_in_one_file() {
    let users: Vec<String> = ROOMS
        .iter()
        .flat_map(|room| room_sources(room))
        .filter(|source| source.shipping().contains("sled::") && !source.is_test())
        .map(|source| source.path)
        .collect();
    assert_eq!(users, ["broker/metadata/src/store.rs"]);
}

/// The dependencies of a room by the table they are in.
fn dependencies(room: &str) -> BTreeMap<String, BTreeSet<String>> {
    let manifest = root().join("broker").join(room).join("Cargo.toml");
    let text = std::fs::read_to_string(manifest).expect("a manifest");
    let mut tables = BTreeMap::<String, BTreeSet<String>>::new();
    let mut table = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']').to_owned();
        } else if table.ends_with("dependencies") {
            let name: String =
                line.chars().take_while(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
            if !name.is_empty() {
                tables.entry(table.clone()).or_default().insert(name);
            }
        }
    }
    tables
}

#[test]
fn a_room_uses_only_rooms_below_it_and_names_every_dependency() {
    let mut found = Vec::new();
    for (level, room) in ROOMS.iter().enumerate() {
        let (tests, shipping): (Vec<Source>, Vec<Source>) =
            sources(&format!("broker/{room}")).into_iter().partition(Source::is_test);
        let shipping: String = shipping.iter().map(Source::shipping).collect();
        let everything: String =
            room_sources(room).into_iter().chain(tests).map(|source| source.text).collect();
        for (table, names) in dependencies(room) {
            let text = if table == "dependencies" { &shipping } else { &everything };
            for name in names {
                let lower =
                    name.strip_prefix("ottla-").and_then(|name| ROOMS.iter().position(|room| *room == name));
                if table == "dependencies" && lower.is_some_and(|lower| lower >= level) {
                    found.push(format!("{room} uses {name}, which is not below it"));
                }
                if !contains_word(text, &name.replace('-', "_")) {
                    found.push(format!("{room} has {name} in [{table}] and does not name it"));
                }
            }
        }
    }
    none(found, "dependencies point downward, and none is dead");
}

#[test]
fn every_config_field_is_read_by_a_room() {
    let readers: String = ROOMS
        .iter()
        .filter(|room| **room != "config")
        .flat_map(|room| room_sources(room))
        .filter(|source| !source.is_test())
        .map(|source| source.shipping())
        .collect();
    // A private field is read in `config` alone; the compiler refuses one that is not.
    let in_force = sources("broker/config/src").into_iter().map(|source| source.text).collect::<String>();
    let unread = ottla_config::fields_in_force().into_iter().filter(|(field, _)| {
        let is_private = in_force.contains(&format!("pub(crate) {field}:"));
        !is_private && !contains_word(&readers, &format!(".{field}"))
    });
    let found = unread.map(|(field, key)| format!("{key}: {field}")).collect();
    none(found, "a key with a field has an effect (`ottla config` says so): a room reads it");
}

#[test]
fn every_key_that_listeners_may_have_is_asked_for_by_a_room() {
    let askers: String = ROOMS
        .iter()
        .flat_map(|room| room_sources(room))
        // `config` itself reads how clients log in.
        .filter(|source| {
            let of_logins = ["sasl.rs", "node_logins.rs", "signed_tokens.rs"];
            !source.path.contains("config/src/") || of_logins.iter().any(|file| source.path.ends_with(file))
        })
        .filter(|source| !source.is_test())
        .map(|source| source.shipping())
        .collect();
    let unasked =
        ottla_config::keys_of_listeners().iter().filter(|key| !askers.contains(&format!("\"{key}\"")));
    none(
        unasked.map(|key| (*key).to_owned()).collect(),
        "a key of a listener has an effect: a room asks for it",
    );
}

/// The structs that carry settings from the configuration into a room that doesn't know it.
const SETTINGS: [(&str, &str); 9] = [
    ("log", "LogConfig"),
    ("log", "LogManagerSettings"),
    ("log", "CleanerSettings"),
    ("network", "NetworkSettings"),
    ("network", "ConnectionLimits"),
    ("quota", "QuotaSettings"),
    ("coordinator", "GroupSettings"),
    ("coordinator", "TransactionSettings"),
    ("coordinator", "ShareCoordinatorSettings"),
];

#[test]
fn every_setting_that_a_room_is_given_is_read_there() {
    let mut found = Vec::new();
    for (room, name) in SETTINGS {
        let all = room_sources(room);
        let body = all.iter().find_map(|source| source.text.split(&format!("pub struct {name} {{")).nth(1));
        let Some(body) = body.and_then(|text| text.split("\n}").next()) else {
            found.push(format!("{room} has no struct {name}"));
            continue;
        };
        let shipping: String = all.iter().filter(|source| !source.is_test()).map(Source::shipping).collect();
        for line in body.lines() {
            let Some((field, _)) = line.trim().strip_prefix("pub ").and_then(|line| line.split_once(':'))
            else {
                continue;
            };
            if !contains_word(&shipping, &format!(".{field}")) {
                found.push(format!("{name}.{field}"));
            }
        }
    }
    none(found, "a setting that is handed to a room is obeyed there");
}

/// Assertions of the code that is shipped, and the lines they are counted in: unit tests are none of them.
fn count_assertions(room: &str) -> (usize, usize) {
    room_sources(room).iter().filter(|source| !source.is_test()).fold(
        (0, 0),
        |(assertions, lines), source| {
            let begins = |line: &&str| {
                let line = line.trim_start().trim_start_matches("const _: () = ");
                ["assert!(", "assert_eq!(", "assert_ne!("].iter().any(|name| line.starts_with(name))
            };
            let found = source.shipping().lines().filter(begins).count();
            (assertions + found, lines + source.without_tests().lines().count())
        },
    )
}

#[test]
fn what_must_hold_is_asserted_twice_in_a_thousand_lines() {
    let rooms = ROOMS.into_iter().filter(|room| *room != "sim").chain(["tools"]);
    let of_rooms: Vec<(&str, (usize, usize))> = rooms.map(|room| (room, count_assertions(room))).collect();
    let (assertions, lines) =
        of_rooms.iter().fold((0, 0), |(all, total), (_, (found, lines))| (all + found, total + lines));
    assert!(assertions * 1_000 >= lines * 2, "{assertions} assertions in {lines} lines: {of_rooms:?}");
    // No room hides behind the others.
    let thin = of_rooms.iter().filter(|(_, (found, lines))| found * 2_000 < *lines);
    none(
        thin.map(|(room, counted)| format!("{room}: {counted:?}")).collect(),
        "a room asserts what holds in it",
    );
}

/// Each a room with its files in the order in which they are passed.
type Stops = Vec<(String, Vec<String>)>;

/// The table of walks: a request, and its stops.
fn walks(map: &str) -> Vec<(String, Stops)> {
    let stop = |stop: &str| {
        let (room, files) = stop.trim().rsplit_once("` ").expect("a room, and its files");
        let files = files.split(", ").map(str::to_owned).collect();
        (room.trim_start_matches('`').to_owned(), files)
    };
    let rows = map.lines().filter(|line| line.starts_with("| ") && line.contains(" · `"));
    let walk = |row: &str| {
        let (name, stops) = row.trim_matches(['|', ' ']).split_once(" | ").expect("a request, and its stops");
        (name.to_owned(), stops.split(" · ").map(stop).collect())
    };
    rows.map(walk).collect()
}

/// The walks that the map owes its readers.
const WALKS: [&str; 6] = [
    "Produce",
    "Produce in a transaction",
    "EndTxn with its markers",
    "Group heartbeat",
    "Share acknowledge",
    "Create topic",
];
const STOPS_MAX: usize = 8;

#[test]
fn a_walk_has_each_stop_once_and_at_most_eight() {
    let map = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the map");
    let walks = walks(&map);
    let is_drawn = |walk: &&str| walks.iter().any(|(name, _)| name == walk);
    let mut found: Vec<String> =
        WALKS.iter().filter(|walk| !is_drawn(walk)).map(|walk| format!("{walk} is not drawn")).collect();
    for (name, stops) in &walks {
        let rooms: BTreeSet<&String> = stops.iter().map(|(room, _)| room).collect();
        if rooms.len() != stops.len() || stops.len() > STOPS_MAX || stops.len() < 3 {
            found.push(format!("{name} has {} stops, {} of them others", stops.len(), rooms.len()));
        }
        for (room, files) in stops {
            let others: BTreeSet<&String> = files.iter().collect();
            if others.len() != files.len() {
                found.push(format!("{name} passes a file of {room} twice"));
            }
            if !ROOMS.contains(&room.as_str()) {
                found.push(format!("{name} stops at {room}, which is no room"));
            }
        }
    }
    // The prose counts finer: what is done one after the other.
    let spelled = ["Nine", "Ten", "Eleven", "Twelve"];
    found.extend(
        spelled
            .iter()
            .filter(|count| map.contains(&format!("{count} stops")))
            .map(|count| format!("{count} stops are more than {STOPS_MAX}")),
    );
    none(found, "docs/ARCHITECTURE.md: a walk has each stop once, and at most eight");
}

/// The metric names that source code spells: each in quotes, alone.
fn metric_names(shipping: &str) -> BTreeSet<&str> {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let is_crate = |name: &str| ROOMS.iter().any(|room| name == format!("ottla_{room}"));
    let quoted =
        shipping.match_indices("\"ottla_").filter_map(|(at, _)| shipping[at + 1..].split('"').next());
    quoted.filter(|name| name.chars().all(is_part) && !name.ends_with('_') && !is_crate(name)).collect()
}

#[test]
fn an_operator_finds_every_metric_and_key_of_ours_on_a_page() {
    let pages: String = ["docs/OPERATING.md", "docs/SECURITY.md"]
        .iter()
        .map(|page| std::fs::read_to_string(root().join(page)).expect("a page"))
        .collect();
    let shipping: String = ROOMS
        .iter()
        .filter(|room| **room != "sim")
        .flat_map(|room| room_sources(room))
        .filter(|source| !source.is_test())
        .map(|source| source.shipping())
        .collect();
    let metrics = metric_names(&shipping);
    let rows = ottla_config::broker::rows().iter().map(|row| row.name);
    let keys: Vec<&str> = rows.filter(|name| name.starts_with("ottla.")).collect();
    assert!(metrics.len() > 50 && keys.len() > 5, "{metrics:?} {keys:?}");
    // `ottla.balance` is not named by `ottla.balance.bytes.per.second`, nor a metric by a longer one.
    let is_named = |name: &&str| {
        pages.match_indices(*name).any(|(at, _)| {
            let next = pages[at + name.len()..].chars().next().unwrap_or(' ');
            !next.is_alphanumeric() && next != '_' && next != '.'
        })
    };
    let missing = metrics.into_iter().chain(keys).filter(|name| !is_named(name));
    none(
        missing.map(str::to_owned).collect(),
        "docs/OPERATING.md or docs/SECURITY.md says what a metric or a key of ours is",
    );
}

#[test]
fn the_files_that_the_map_names_are_there() {
    let map = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the map");
    let known: Vec<String> = sources("broker").into_iter().map(|source| source.path).collect();
    let is_known = |name: &str| {
        let in_room = name.split_once('/').map(|(room, file)| format!("broker/{room}/src/{file}"));
        known
            .iter()
            .any(|path| path == name || path.ends_with(&format!("/{name}")) || Some(path) == in_room.as_ref())
    };
    let in_text = map.split('`').skip(1).step_by(2).filter(|name| name.ends_with(".rs")).map(str::to_owned);
    let stops: Vec<_> = walks(&map).into_iter().flat_map(|(_, stops)| stops).collect();
    assert!(stops.len() > 20, "the walks are drawn");
    let in_walks = stops
        .into_iter()
        .flat_map(|(room, files)| files.into_iter().map(move |file| format!("broker/{room}/src/{file}.rs")));
    let missing = in_text.chain(in_walks).filter(|name| !is_known(name)).collect();
    none(missing, "docs/ARCHITECTURE.md names files that are not there");
}

#[test]
fn what_is_named_as_holding_a_pitfall_is_there() {
    let page = std::fs::read_to_string(root().join("docs/security-pitfalls.md")).expect("the page");
    let sources: String = ["broker", "protocol-tests"]
        .into_iter()
        .flat_map(sources)
        .filter(|source| source.text.contains("#[test]") || source.text.contains("#[tokio::test]"))
        .map(|source| source.text)
        .collect();
    let is_there = |name: &str| match name.ends_with(".oracle") || name.contains('/') {
        true => {
            [root(), root().join("protocol-tests/scripts")].iter().any(|folder| folder.join(name).is_file())
        }
        false => sources.contains(&format!("fn {name}()")),
    };
    let rows = |part: &str| -> Vec<String> {
        part.lines().filter(|line| line.starts_with("| ")).skip(2).map(str::to_owned).collect()
    };
    let (pitfalls, planted) = page.split_once("## Faults that were planted").expect("two tables");
    let (rows, planted) = (rows(pitfalls), rows(planted));
    let mut missing = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        assert!(row.starts_with(&format!("| {} | ", number + 1)), "the pitfalls are counted: {row}");
    }
    assert!(planted.len() >= 10, "faults were planted");
    for row in rows.iter().chain(&planted) {
        let held_by = row.rsplit(" | ").next().unwrap_or_default();
        let names = held_by.split('`').skip(1).step_by(2);
        // A command is no test.
        let names: Vec<&str> = names.filter(|name| !name.starts_with("cargo ")).collect();
        assert!(!names.is_empty(), "nothing holds {row}");
        missing.extend(names.into_iter().filter(|name| !is_there(name)).map(str::to_owned));
    }
    assert_eq!(rows.len(), 28, "one row a pitfall");
    let (_, in_bulk) = page.rsplit_once("Hostile bytes in bulk").expect("the last paragraph");
    let names = in_bulk.split('`').skip(1).step_by(2);
    missing.extend(names.filter(|name| !is_there(name)).map(str::to_owned));
    none(missing, "docs/security-pitfalls.md names tests that are not there");
}
