//! The group coordinator follows the metadata image: partitions of its topic to load, deleted topics to forget.
//! Shell. Subscribed behind the replica room, so a partition is led before its groups load.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_coordinator::GroupCoordinator;
use ottla_metadata::{Delta, Image, ImageListener, TopicImage};

use crate::groups_log;

pub struct GroupsFollow(pub Arc<GroupCoordinator>);

impl ImageListener for GroupsFollow {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        if let Some(topic) = image.topic(groups_log::TOPIC) {
            self.load_new_partitions(delta, topic, image);
        }
        if !delta.topics_created.is_empty()
            || !delta.partitions_added.is_empty()
            || !delta.topics_deleted.is_empty()
        {
            self.0.on_topics_changed();
        }
        if !delta.topics_deleted.is_empty() {
            self.0.on_topics_deleted(&delta.topics_deleted);
        }
    }
}

impl GroupsFollow {
    fn load_new_partitions(&self, delta: &Delta, topic: &TopicImage, image: &Image) {
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
        self.forget_what_went_before(image);
    }

    /// A deletion is answered before the removal of the topic's offsets is on the disk: where the power
    /// went between, they are back, and would be believed of the next topic of that name.
    fn forget_what_went_before(&self, image: &Image) {
        let mut gone = BTreeSet::new();
        self.0.for_each_offset(|_, name, _, value| {
            if !value.topic_id.is_zero() && image.topic_by_id(value.topic_id).is_none() {
                gone.insert((name.clone(), value.topic_id));
            }
        });
        if !gone.is_empty() {
            self.0.on_topics_deleted(&gone.into_iter().collect::<Vec<_>>());
        }
    }
}
