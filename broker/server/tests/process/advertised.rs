//! What is advertised of a controller's listener: it is told, and dialled.
//! Shell.

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{Folder, create_topic, exchange, free_port, overrides, start};

/// A door of this machine to another port of it, and who came through.
struct Door {
    port: u16,
    came: Arc<AtomicU32>,
}

impl Door {
    fn to(port: u16) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let door = Door { port: listener.local_addr().expect("it is bound").port(), came: Arc::default() };
        let came = door.came.clone();
        std::thread::spawn(move || {
            for one in listener.incoming().map_while(Result::ok) {
                // Nobody is there yet, or no more: who came is sent away.
                let Ok(other) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                came.fetch_add(1, Ordering::Relaxed);
                for (from, to) in [(&one, &other), (&other, &one)] {
                    let (mut from, mut to) =
                        (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
                    std::thread::spawn(move || {
                        // Either side may end it, at any moment.
                        let _end = std::io::copy(&mut from, &mut to);
                        let _closed = to.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        door
    }
}

/// Hosts and ports of DescribeCluster v1 at a controller, by id.
fn controllers_of(address: &str) -> Vec<(i32, String, i32)> {
    let frame = [0, 60, 0, 1, 0, 0, 0, 9, 0xff, 0xff, 0, 0, 2, 0];
    let answer = exchange(address, &frame).expect("an answer");
    // Correlation id and tags, throttle time, code, no text, the endpoint type, the cluster's id, the leader.
    let mut at = 4 + 1 + 4 + 2 + 1 + 1;
    let mut take = |count: usize| {
        at += count;
        &answer[at - count..at]
    };
    let int = |bytes: &[u8]| i32::from_be_bytes(bytes.try_into().expect("four bytes"));
    let cluster_id_bytes = usize::from(take(1)[0]) - 1;
    take(cluster_id_bytes + 4);
    let count = take(1)[0] - 1;
    let mut node = |_| {
        let id = int(take(4));
        let host_bytes = usize::from(take(1)[0]) - 1;
        let host = String::from_utf8(take(host_bytes).to_vec()).expect("text");
        let port = int(take(4));
        // No rack, no tags.
        take(2);
        (id, host, port)
    };
    (0..count).map(&mut node).collect()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// The second controller is opened where nobody looks for it, and advertised at a door.
#[test]
fn controllers_find_each_other_where_they_are_advertised() {
    let ports = [free_port(), free_port()];
    let door = Door::to(ports[1]);
    let folders = [Folder::new(), Folder::new()];
    let run = |place: usize, more: &[String]| {
        let (id, client, own) = (place + 1, free_port(), ports[place]);
        let told = [own, door.port][place];
        let mut given = vec![
            format!("node.id={id}"),
            format!("listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{own}"),
            format!("advertised.listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://localhost:{told}"),
            "controller.listener.names=CONTROLLER".to_owned(),
        ];
        given.extend_from_slice(more);
        let given = overrides(&given.iter().map(String::as_str).collect::<Vec<_>>());
        start(&folders[place], &given.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let command = |name: &str, more: &[&str]| {
        let server = format!("127.0.0.1:{}", ports[0]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
        command.args([name, "--bootstrap-controller", &server]).args(more);
        let output = command.output().expect("it runs");
        let texts = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("text"));
        (output.status.success(), texts.concat())
    };
    let status = || command("kafka-metadata-quorum", &["describe", "--status"]).1;
    let first = format!("127.0.0.1:{}", ports[0]);
    let me = (1, "localhost".to_owned(), i32::from(ports[0]));

    // Alone it says where it is advertised, and so does its log from the version on that has voters in it.
    let one = run(0, &[]);
    assert_eq!(controllers_of(&first), std::slice::from_ref(&me));
    let (is_raised, text) = command("kafka-features", &["upgrade", "--feature", "kraft.version=1"]);
    assert!(is_raised, "{text}");
    let at = |port: u16| format!("CONTROLLER://localhost:{port}");
    assert!(status().contains(&at(ports[0])), "{}", status());
    one.stop();

    let known = format!("controller.quorum.bootstrap.servers=localhost:{},localhost:{}", ports[0], door.port);
    let joins = [known, "controller.quorum.auto.join.enable=true".to_owned()];
    let one = run(0, &joins);
    let two = run(1, &joins);
    until("the second votes, at its door", || status().contains(&at(door.port)));
    until("it is registered there", || {
        controllers_of(&first) == [me.clone(), (2, "localhost".to_owned(), i32::from(door.port))]
    });
    // Both are needed for what is committed, and whichever leads has what the other sends.
    assert_eq!(create_topic(one.address("bootstrap"), "t"), 0);
    assert!(door.came.load(Ordering::Relaxed) > 0, "the leader has come to the second");
    two.kill();
    one.kill();
}

/// What voters are configured with is how they find each other where the log does not say it, and no more.
#[test]
fn tools_are_told_what_a_controller_has_registered() {
    let (folder, port) = (Folder::new(), free_port());
    let given = overrides(&[
        "process.roles=controller",
        &format!("listeners=CONTROLLER://:{port}"),
        "advertised.listeners=CONTROLLER://controller.example:19093",
        "controller.listener.names=CONTROLLER",
        &format!("controller.quorum.voters=1@127.0.0.1:{port}"),
    ]);
    let running = start(&folder, &given.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(running.address("bootstrap"), "controller.example:19093");
    until("it is registered as advertised", || {
        controllers_of(&format!("127.0.0.1:{port}")) == [(1, "controller.example".to_owned(), 19_093)]
    });
    running.kill();
}
