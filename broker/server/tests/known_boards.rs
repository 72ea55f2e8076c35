//! What well-known boards (`known_boards.txt`) and our own (`deploy/dashboards`) ask for is there, with its labels.
//! Shell.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ASKED: &str = include_str!("known_boards.txt");

struct Broker {
    child: std::process::Child,
    folder: std::path::PathBuf,
}

impl Drop for Broker {
    fn drop(&mut self) {
        // A process that ended by itself is fine too.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A broker with the given settings, and its addresses for clients and for HTTP.
fn start(name: &str, settings: &[&str]) -> (Broker, String, String) {
    let folder = std::env::temp_dir().join(format!("ottla-boards-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let ready = folder.join("ready");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).env_remove("CLUSTER_ID");
    command.arg("--override").arg(format!("log.dirs={}", folder.join("data").display()));
    for setting in
        ["listeners=PLAINTEXT://127.0.0.1:0", "ottla.http.listener=127.0.0.1:0"].iter().chain(settings)
    {
        command.args(["--override", setting]);
    }
    let child = command.arg("--ready-file").arg(&ready).spawn().expect("it starts");
    let broker = Broker { child, folder };
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok(text) = std::fs::read_to_string(&ready) {
            let line: serde_json::Value = serde_json::from_str(&text).expect("one JSON line");
            let address = |key: &str| line[key].as_str().expect("an address").to_owned();
            return (broker, address("bootstrap"), address("http"));
        }
        assert!(Instant::now() < deadline, "the broker is not ready after 20 s");
        std::thread::yield_now();
    }
}

fn scrape(http: &str) -> String {
    let mut stream = TcpStream::connect(http).expect("the HTTP port accepts");
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: ottla\r\nConnection: close\r\n\r\n").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

/// Runs a short form of the program with these lines on its standard input.
fn ottla(words: &[&str], bootstrap: &str, input: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.args(words).args(["-b", bootstrap]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Whether a line of the scrape is of this metric with all these labels.
fn is_sample(line: &str, metric: &str, labels: &[&str]) -> bool {
    let rest = line.strip_prefix(metric).unwrap_or_default();
    match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some((inside, _)) => labels.iter().all(|label| {
            inside.split(',').any(|pair| pair.split_once('=').is_some_and(|(name, _)| name == *label))
        }),
        None => labels.is_empty() && rest.starts_with(' '),
    }
}

#[test]
fn what_known_boards_ask_for_is_there() {
    let (_broker, bootstrap, http) = start("names", &["ottla.topics=known:2:retention.ms=86400000"]);
    assert_eq!(ottla(&["topic", "list"], &bootstrap, ""), "known\n", "made before the ready line");
    ottla(&["produce", "known", "-K", ":"], &bootstrap, "a:one\nb:two\n");
    let read = ottla(&["consume", "known", "-g", "readers", "-n", "2"], &bootstrap, "");
    assert_eq!(read.lines().count(), 2, "{read}");
    // A client that is connected while the scrape is made.
    let mut words = Command::new(env!("CARGO_BIN_EXE_ottla"));
    words
        .args(["consume", "known", "-g", "readers", "-b", &bootstrap])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut reader = words.spawn().expect("it runs");
    let deadline = Instant::now() + Duration::from_secs(20);
    let wanted = |text: &str| -> Vec<String> {
        let asked = ASKED.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let is_missing = |line: &&str| {
            let words: Vec<&str> = line.split(' ').collect();
            words[0] != "missing" && !text.lines().any(|line| is_sample(line, words[1], &words[2..]))
        };
        asked.filter(is_missing).map(str::to_owned).collect()
    };
    let text = loop {
        let text = scrape(&http);
        let missing = wanted(&text);
        if missing.is_empty() {
            break text;
        }
        assert!(Instant::now() < deadline, "{missing:#?}\n{text}");
        std::thread::yield_now();
    };
    reader.kill().expect("it is stopped");
    reader.wait().expect("it ended");
    let line = "kafka_server_brokertopicmetrics_messagesin_total{topic=\"known\"} 2";
    assert!(text.lines().any(|written| written == line), "{text}");
    for missing in ASKED.lines().filter_map(|line| line.strip_prefix("missing ")) {
        assert!(!text.contains(missing), "{missing} is there by now: it belongs to those that are asked for");
    }
    let mut heads: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    heads.sort_unstable();
    let count = heads.len();
    heads.dedup();
    assert_eq!(heads.len(), count, "each metric has one head");
}

/// The boards under `deploy/`, by their files.
fn own_boards() -> Vec<(String, serde_json::Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/dashboards");
    let mut boards = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let board = serde_json::from_str(&std::fs::read_to_string(&path).expect("text")).expect("JSON");
        boards.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), board));
    }
    boards
}

/// The word before each `{` of a query, and the labels named inside; `instance` is Prometheus' own.
fn selectors(query: &str) -> Vec<(String, Vec<String>)> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut parts = query.split('{');
    let mut before = parts.next().expect("a first part");
    let mut found = Vec::new();
    for part in parts {
        let name = &before[before.rfind(|letter| !is_word(letter)).map_or(0, |at| at + 1)..];
        let inside = &part[..part.find('}').expect("a closed selector")];
        let labels = inside.split(',').map(|label| &label[..label.find(|it| !is_word(it)).expect("a match")]);
        let labels = labels.filter(|label| *label != "instance").map(str::to_owned);
        found.push((name.to_owned(), labels.collect()));
        before = part;
    }
    found
}

#[test]
fn every_query_of_our_boards_finds_a_sample() {
    let mut asked = Vec::new();
    for (file, board) in own_boards() {
        for panel in board["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let query = target["expr"].as_str().expect("a query");
                let selectors = selectors(query);
                assert!(!selectors.is_empty(), "{file}: {query} asks for nothing");
                asked.extend(selectors.into_iter().map(|one| (file.clone(), one)));
            }
        }
        for variable in board["templating"]["list"].as_array().expect("variables") {
            let values = variable["definition"].as_str().and_then(|text| text.strip_prefix("label_values("));
            if let Some((name, label)) = values.and_then(|rest| rest.strip_suffix(')')?.split_once(", ")) {
                let labels = if label == "instance" { Vec::new() } else { vec![label.to_owned()] };
                asked.push((file.clone(), (name.to_owned(), labels)));
            }
        }
    }
    assert!(asked.len() > 60, "{}", asked.len());
    let (_broker, bootstrap, http) = start("own", &["ottla.topics=t:2"]);
    ottla(&["produce", "t", "-K", ":"], &bootstrap, "a:one\nb:two\n");
    ottla(&["consume", "t", "-g", "readers", "-n", "2"], &bootstrap, "");
    let mut reader = Command::new(env!("CARGO_BIN_EXE_ottla"))
        .args(["consume", "t", "-g", "readers", "-b", &bootstrap])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = scrape(&http);
        let has = |name: &str, labels: &[String]| {
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            // Without labels any series will do: a query adds them up.
            let is_it = |line: &str| match labels.is_empty() {
                true => line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])),
                false => is_sample(line, name, &labels),
            };
            text.lines().any(is_it)
        };
        let missing: Vec<_> = asked.iter().filter(|(_, (name, labels))| !has(name, labels)).collect();
        if missing.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{missing:#?}\n{text}");
        std::thread::yield_now();
    }
    reader.kill().expect("it is stopped");
    reader.wait().expect("it ended");
}

#[test]
fn panels_have_ids_of_their_own_and_do_not_overlap() {
    let mut uids = std::collections::BTreeSet::new();
    for (file, board) in own_boards() {
        assert!(uids.insert(board["uid"].as_str().expect("a uid").to_owned()), "{file} has another's uid");
        let (mut ids, mut taken) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        for panel in board["panels"].as_array().expect("panels") {
            assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{file}");
            let side = |name: &str| panel["gridPos"][name].as_u64().expect("a place");
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    let is_free = x < 24 && taken.insert((x, y));
                    assert!(is_free, "{file}: {} lies on another panel", panel["title"]);
                }
            }
        }
    }
}

#[test]
fn kafka_s_names_can_be_switched_off() {
    let (_broker, _bootstrap, http) = start("off", &["ottla.metrics.kafka.names=false"]);
    let text = scrape(&http);
    assert!(text.contains("ottla_connections") && !text.contains("\nkafka_"), "{text}");
}

/// One whole request without a client id, and its answer behind the correlation id.
fn exchange(stream: &mut TcpStream, key: u8, version: u8, body: &[u8]) -> Vec<u8> {
    let frame = [&[0, key, 0, version, 0, 0, 0, 7, 0xff, 0xff], body].concat();
    stream.write_all(&[&(frame.len() as i32).to_be_bytes()[..], &frame].concat()).expect("sent");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; i32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).expect("the whole answer");
    answer.split_off(4)
}

/// Commits offset 2 of partition 0 of `known` for a group (OffsetCommit v2); the code.
fn commit(stream: &mut TcpStream, group: &str) -> i16 {
    let text = |text: &str| [&(text.len() as i16).to_be_bytes()[..], text.as_bytes()].concat();
    let (nobody, for_ever) = ([0xff, 0xff, 0xff, 0xff, 0, 0], [0xff; 8]);
    let (one, partition) = ([0, 0, 0, 1], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    let body = [&text(group), &nobody[..], &for_ever, &one, &text("known"), &partition, &text("")].concat();
    let answer = exchange(stream, 8, 2, &body);
    i16::from_be_bytes(answer[answer.len() - 2..].try_into().expect("two bytes"))
}

/// A label's value as the text format has it, up to its closing mark; what follows stays in `rest`.
fn label_value(rest: &mut std::str::Chars<'_>) -> Option<String> {
    let mut value = String::new();
    loop {
        value.push(match rest.next()? {
            '"' => return Some(value),
            '\n' => return None,
            '\\' => match rest.next()? {
                'n' => '\n',
                mark @ ('\\' | '"') => mark,
                _ => return None,
            },
            other => other,
        });
    }
}

#[test]
fn groups_with_odd_names_have_their_lag_and_break_no_line() {
    let (_broker, bootstrap, http) = start("odd", &["ottla.topics=known:1"]);
    ottla(&["produce", "known"], &bootstrap, "1\n2\n3\n4\n5\n");
    let long = "a".repeat(32_000);
    let odd = [
        "a\"b",
        "a\\b",
        "a\nb",
        "a\r\nb 1",
        "a\\n",
        "a{b=\"c\"}",
        "\u{0}\u{1}",
        " ",
        "..",
        "#",
        "%s",
        "x=1,y=2",
        "ü🚀",
        "\";--",
        "\u{2028}",
        &long,
    ];
    let mut stream = TcpStream::connect(&bootstrap).expect("the port accepts");
    let deadline = Instant::now() + Duration::from_secs(20);
    for group in odd {
        // FindCoordinator makes the topic behind them, which may take its time.
        exchange(&mut stream, 10, 0, &[&(group.len() as i16).to_be_bytes(), group.as_bytes()].concat());
        while commit(&mut stream, group) != 0 {
            assert!(Instant::now() < deadline, "{group:?}");
        }
    }
    let text = scrape(&http);
    let mut lags: Vec<String> = Vec::new();
    let (_, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    // Lines end at LF alone: whatever else ends lines elsewhere is a letter here.
    for line in body.split('\n').filter(|line| !line.starts_with('#')) {
        let Some(inside) = line.strip_prefix("ottla_group_lag_records{group=\"") else { continue };
        let mut rest = inside.chars();
        lags.push(label_value(&mut rest).unwrap_or_else(|| panic!("{line}")));
        assert_eq!(rest.as_str(), ",topic=\"known\",partition=\"0\"} 3");
    }
    lags.sort_unstable();
    let mut wanted = odd.map(str::to_owned);
    wanted.sort_unstable();
    assert_eq!(lags, wanted);
}
