//! A dynamic `log.cleaner.*` reaches the cleaner of a broker that runs.
//! Shell.

use ottla_protocol::messages::AlterConfigsRequest;
use ottla_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_sim::rooms::{World, wire as text};

/// Broker resources.
const BROKER: i8 = 4;

fn set(world: &World, configs: &[(&str, &str)]) {
    let config = |(name, value): &(&str, &str)| {
        AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    let resource = AlterConfigsResource::default()
        .with_resource_type(BROKER)
        .with_resource_name(text(""))
        .with_configs(configs.iter().map(config).collect());
    let request = AlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = world.ask(world.rooms().metadata.alter_configs(request)).expect("a healthy disk");
    assert_eq!(answer.responses[0].error_code, 0, "{:?}", answer.responses[0].error_message);
}

#[test]
fn what_changes_while_the_broker_runs_is_obeyed() {
    let world = World::new(1);
    set(
        &world,
        &[
            ("log.cleaner.io.max.bytes.per.second", "1000.5"),
            ("log.cleaner.backoff.ms", "77"),
            ("log.cleaner.threads", "2"),
            ("log.cleaner.dedupe.buffer.size", "4194304"),
            ("log.cleaner.io.buffer.size", "65536"),
            ("log.cleaner.io.buffer.load.factor", "0.5"),
        ],
    );
    let settings = world.rooms().logs.cleaner_settings();
    assert_eq!(settings.io_bytes_per_second_max, 1000.5);
    assert_eq!((settings.backoff_ms, settings.threads), (77, 2));
    assert_eq!((settings.dedupe_buffer_bytes, settings.io_buffer_bytes), (4_194_304, 65_536));
    assert_eq!(settings.dedupe_buffer_load_factor, 0.5);
    set(&world, &[]);
    assert_eq!(world.rooms().logs.cleaner_settings().backoff_ms, 15_000, "taken back");
}
