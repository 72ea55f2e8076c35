//! Which generation of the transaction protocol clients are told to speak.
//! Shell.

use ottla_network::{Admitted, Answer, Handler};
use ottla_protocol::ApiKey;
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, UpdateFeaturesRequest};
use ottla_sim::rooms::{End, World, wire as text};
use ottla_sim::wire;

const FEATURE: &str = "transaction.version";

/// What ApiVersions says is finalized; `None` is level 0, which is left out.
fn told(world: &World) -> Option<i16> {
    let request = ApiVersionsRequest::default()
        .with_client_software_name(text("test"))
        .with_client_software_version(text("1"));
    let handler: &dyn Handler = &world.rooms().dispatch;
    let admitted = handler.admit(&wire::info(0), wire::frame(ApiKey::ApiVersions, 4, &request));
    let Admitted::Ready(Answer::Respond(response)) = admitted else { panic!("it is answered at once") };
    let answer: ApiVersionsResponse = wire::decoded(ApiKey::ApiVersions, 4, wire::bytes_of(&response));
    let of_feature = answer.finalized_features.iter().find(|feature| &*feature.name == FEATURE);
    of_feature.map(|feature| feature.max_version_level)
}

fn set(world: &World, level: i16, upgrade_type: i8) -> i16 {
    let update = FeatureUpdateKey::default()
        .with_feature(text(FEATURE))
        .with_max_version_level(level)
        .with_upgrade_type(upgrade_type);
    let request = UpdateFeaturesRequest::default().with_feature_updates(vec![update]);
    let answer = world.ask(world.rooms().metadata.update_features(request));
    answer.expect("a healthy disk").error_code
}

#[test]
fn the_generation_follows_the_finalized_level_over_restarts() {
    const UPGRADE: i8 = 1;
    const SAFE_DOWNGRADE: i8 = 2;
    let mut world = World::new(1);
    assert_eq!(told(&world), Some(2));
    assert_ne!(set(&world, 3, UPGRADE), 0, "no such level");
    assert_ne!(set(&world, 1, UPGRADE), 0, "it is a downgrade");
    assert_eq!(set(&world, 1, SAFE_DOWNGRADE), 0);
    assert_eq!(told(&world), Some(1));
    for end in [End::Clean, End::PowerLoss] {
        world.restart(end);
        assert_eq!(told(&world), Some(1), "{end:?}");
    }
    assert_eq!(set(&world, 0, SAFE_DOWNGRADE), 0);
    assert_eq!(told(&world), None);
    assert_eq!(set(&world, 2, UPGRADE), 0);
    assert_eq!(told(&world), Some(2));
}
