//! The group coordinator follows the metadata image: it loads the partitions of its topic when they
//! come to be, and forgets the offsets of deleted topics.
//! Shell. Subscribed behind the replica room, so a partition is led before its groups load.

use std::sync::Arc;

use ottla_coordinator::GroupCoordinator;
use ottla_metadata::{Delta, Image, ImageListener, TopicImage};

use crate::groups_log;

pub struct GroupsFollow(pub Arc<GroupCoordinator>);

impl ImageListener for GroupsFollow {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        if let Some(topic) = image.topic(groups_log::TOPIC) {
            self.load_new_partitions(delta, topic);
        }
        if !delta.topics_deleted.is_empty() {
            self.0.on_topics_deleted(&delta.topics_deleted);
        }
    }
}

impl GroupsFollow {
    fn load_new_partitions(&self, delta: &Delta, topic: &TopicImage) {
        let first = if delta.topics_created.contains(&topic.id) {
            0
        } else if let Some(first) = delta.partitions_added.get(&topic.id) {
            first.0
        } else {
            return;
        };
        for partition in first..topic.partitions.len() as i32 {
            // A partition that can't be loaded has said so; its groups are told to look elsewhere.
            let _summary = self.0.load(partition);
        }
    }
}
