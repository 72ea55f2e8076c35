//! The broker's configuration follows the metadata image.
//! Shell. Subscribed before every other listener, so that each of them finds the configuration of its image.

use std::sync::Arc;

use ottla_config::DynamicBrokerConfig;
use ottla_model::BrokerId;

use crate::delta::{Delta, ImageListener};
use crate::image::{Image, ResourceType};

impl ImageListener for DynamicBrokerConfig {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        if delta.configs_changed.iter().any(|resource| resource.resource_type == ResourceType::Broker) {
            let of_this_broker = image.broker_dynamic(Some(BrokerId(self.started_with().node_id)));
            self.publish(&of_this_broker, &image.broker_dynamic(None));
        }
    }
}
