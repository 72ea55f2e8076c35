//! A broker that was stopped leaves nothing behind in its process: a test lab has many, one after the other.
//! Shell: a broker in memory on this machine's loopback address.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ottla_env::memory::MemoryDisk;
use ottla_env::{Env, real};
use ottla_server::wiring::{self, StartOptions};

/// Whether something is still there, by its name.
type Remains = (&'static str, Box<dyn Fn() -> bool + Send>);

fn remains<T: ?Sized + Send + Sync + 'static>(name: &'static str, room: &Arc<T>) -> Remains {
    let room: Weak<T> = Arc::downgrade(room);
    (name, Box::new(move || room.upgrade().is_some()))
}

#[test]
fn a_stopped_broker_leaves_no_room_in_memory() {
    let keys = [("listeners", "PLAINTEXT://127.0.0.1:0"), ("ottla.http.listener", "127.0.0.1:0")];
    let keys = keys.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let (config, _warnings) = ottla_config::load(None, &[], &keys).expect("a valid configuration");
    let stopped = real::run(Some(2), async {
        let env = Env { disk: Arc::new(MemoryDisk::new()), ..real::env() };
        let options = StartOptions { ephemeral: true, ..StartOptions::default() };
        let disk = env.disk.clone();
        let broker = wiring::start(env, disk, config, options).await.expect("it serves");
        let rooms = broker.rooms();
        let all = vec![
            remains("configuration", &rooms.config),
            remains("metadata", &rooms.metadata),
            remains("replicas", &rooms.replicas),
            remains("groups", &rooms.groups),
            remains("share state", &rooms.share_state),
            remains("share partitions", &rooms.share_partitions),
            remains("transactions", &rooms.transactions),
            remains("telemetry", &rooms.telemetry),
            remains("quotas", &rooms.quotas),
            remains("what handlers see", &rooms.broker),
        ];
        assert!(all.iter().all(|(_, is_there)| is_there()));
        broker.stop(Duration::from_millis(5)).await;
        all
    });
    let all = stopped.expect("a runtime");
    let deadline = Instant::now() + Duration::from_secs(20);
    let left = || all.iter().filter(|(_, is_there)| is_there()).map(|(name, _)| *name).collect::<Vec<_>>();
    // The tasks of connections end behind the stop.
    while !left().is_empty() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert!(left().is_empty(), "still in memory: {:?}", left());
}
