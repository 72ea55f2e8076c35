//! Tells the active controller where this controller is reached, and what it serves (KIP-919).
//! Shell: a task that ends when it is told. A node that is alone has none.

use std::sync::Arc;
use std::time::Duration;

use ottla_config::BrokerConfig;
use ottla_env::Env;
use ottla_env::tasks::TaskHandle;
use ottla_metadata::{ControllerChannel, Feature};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::ControllerRegistrationRequest;
use ottla_protocol::messages::controller_registration_request::{Feature as RequestFeature, Listener};
use uuid::Uuid;

const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Who serves an earlier release never takes it.
const TRIES_MAX: usize = 120;

/// Begins to tell. `incarnation_id` is this process.
pub fn start(
    env: &Env,
    config: &BrokerConfig,
    features: &[Feature],
    incarnation_id: Uuid,
    controller: Arc<dyn ControllerChannel>,
) -> TaskHandle {
    let request = request_of(config, features, incarnation_id);
    let clock = env.clock.clone();
    let tell = async move {
        for _ in 0..TRIES_MAX {
            match controller.register_controller(request.clone()).await {
                Ok(answer) if answer.error_code == 0 => return,
                Ok(answer) => tracing::debug!(answer.error_code, "this controller is not registered yet"),
                Err(error) => tracing::debug!(%error, "this controller is not registered yet"),
            }
            clock.sleep_until(clock.monotonic().after(RETRY_PAUSE)).await;
        }
    };
    env.tasks.spawn("controller-registration", Box::pin(tell))
}

fn request_of(
    config: &BrokerConfig,
    features: &[Feature],
    incarnation_id: Uuid,
) -> ControllerRegistrationRequest {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let listeners = config.controller_listeners.iter().map(|listener| {
        let reached = config.controller_reached_at(listener);
        let (host, port) = reached.unwrap_or_else(|| (String::new(), listener.port));
        Listener::default()
            .with_name(text(&listener.name))
            .with_host(text(&host))
            .with_port(port)
            .with_security_protocol(listener.protocol.id())
    });
    let features = features.iter().map(|feature| {
        RequestFeature::default()
            .with_name(text(&feature.name))
            .with_min_supported_version(feature.min)
            .with_max_supported_version(feature.max)
    });
    ControllerRegistrationRequest::default()
        .with_controller_id(config.node_id)
        .with_incarnation_id(incarnation_id)
        .with_listeners(listeners.collect())
        .with_features(features.collect())
}
