//! What a broker of several hosts, it hosts once the image has its own registration.
//! Shell: a listener in front of others.
//!
//! Until then the image is of a time before this process: it may say that this broker leads, under an epoch in which it had
//! records that a loss of power took. Who led on would refuse its producers and cut its followers to what is left here. The
//! registration of a broker that did not stop in order takes it out of the in-sync replicas, and its partitions get another
//! epoch (Kafka's `BrokerServer` installs its publishers behind the initial catch-up for the same reason).

use std::sync::Arc;

use ottla_metadata::{Delta, Image, ImageListener};
use ottla_model::BrokerId;
use tokio::sync::watch;
use uuid::Uuid;

/// What is done with an image that is not this process's yet.
pub type OnEarly = Box<dyn Fn(&Arc<Image>) + Send + Sync>;

pub struct AfterRegistration {
    node_id: BrokerId,
    incarnation_id: Uuid,
    behind: Arc<dyn ImageListener>,
    on_early: OnEarly,
    has_come: watch::Sender<bool>,
}

impl AfterRegistration {
    pub fn new(
        node_id: BrokerId,
        incarnation_id: Uuid,
        behind: Arc<dyn ImageListener>,
        on_early: OnEarly,
    ) -> Arc<AfterRegistration> {
        let (has_come, _) = watch::channel(false);
        Arc::new(AfterRegistration { node_id, incarnation_id, behind, on_early, has_come })
    }

    /// Waits until the one behind has had its first image.
    pub async fn until_it_came(&self) {
        let mut has_come = self.has_come.subscribe();
        // The sender lives in this value.
        drop(has_come.wait_for(|has_come| *has_come).await);
    }
}

impl ImageListener for AfterRegistration {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        if *self.has_come.borrow() {
            return self.behind.on_image(delta, image);
        }
        let registered = image.broker(self.node_id);
        if registered.is_none_or(|broker| broker.incarnation_id != self.incarnation_id) {
            return (self.on_early)(image);
        }
        self.behind.on_image(&Delta::from_empty(image), image);
        self.has_come.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use ottla_metadata::Working;
    use ottla_model::LeaderEpoch;
    use ottla_protocol::records::metadata::{MetadataRecord, RegisterBrokerRecord, TopicRecord};
    use parking_lot::Mutex;

    use super::*;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<Delta>>);

    impl ImageListener for Recorder {
        fn on_image(&self, delta: &Delta, _image: &Arc<Image>) {
            self.0.lock().push(delta.clone());
        }
    }

    fn registered(incarnation: u128) -> MetadataRecord {
        let incarnation_id = Uuid::from_u128(incarnation);
        RegisterBrokerRecord { broker_id: 2, incarnation_id, ..RegisterBrokerRecord::default() }.into()
    }

    #[test]
    fn nothing_is_hosted_by_an_image_of_before_and_all_of_it_with_the_own_registration() {
        let (recorder, early) = (Arc::new(Recorder::default()), Arc::new(Mutex::new(Vec::new())));
        let of_early = early.clone();
        let on_early: OnEarly = Box::new(move |image| of_early.lock().push(image.metadata_offset().0));
        let gate = AfterRegistration::new(BrokerId(2), Uuid::from_u128(8), recorder.clone(), on_early);
        let mut working = Working::new(Image::empty("cluster", BrokerId(1)));
        let mut replay = |record: MetadataRecord| {
            let offset = working.image.metadata_offset() + 1;
            working.replay(record, offset, LeaderEpoch(1));
            gate.on_image(&std::mem::take(&mut working.delta), &Arc::new(working.image.clone()));
        };
        let topic = TopicRecord { name: "t".into(), topic_id: Uuid::from_u128(5), ..Default::default() };
        replay(topic.into());
        // That of the process before.
        replay(registered(7));
        assert_eq!((early.lock().clone(), recorder.0.lock().len()), (vec![0, 1], 0));
        replay(registered(8));
        replay(registered(9));
        assert_eq!(early.lock().len(), 2);
        let seen = recorder.0.lock();
        let created: Vec<usize> = seen.iter().map(|delta| delta.topics_created.len()).collect();
        assert_eq!(created, [1, 0], "all at once, and then what changes");
    }
}
