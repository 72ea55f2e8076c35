//! How far this node's image is, for those who wait for what was decided elsewhere.
//! Shell. It hears of an image after every room: what it says is there is in force here.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Clock;
use ottla_metadata::{Delta, Image, ImageListener};
use ottla_model::Offset;
use tokio::sync::watch;

/// Subscribed behind every other listener.
pub struct Reached(watch::Sender<Offset>);

impl Default for Reached {
    fn default() -> Reached {
        Reached(watch::Sender::new(Offset(-1)))
    }
}

impl ImageListener for Reached {
    fn on_image(&self, _delta: &Delta, image: &Arc<Image>) {
        self.0.send_replace(image.metadata_offset());
    }
}

impl Reached {
    /// Tells of every new image.
    pub fn changes(&self) -> watch::Receiver<Offset> {
        self.0.subscribe()
    }

    /// Waits until this node has the record at an offset, but not longer than `patience`. Says whether it has it.
    pub async fn wait_for(&self, clock: &dyn Clock, offset: Offset, patience: Duration) -> bool {
        let mut reached = self.0.subscribe();
        tokio::select! {
            biased;
            there = reached.wait_for(|reached| *reached >= offset) => there.is_ok(),
            () = clock.sleep_until(clock.monotonic().after(patience)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use ottla_env::memory::MemoryClock;

    use super::*;

    #[test]
    fn whoever_waits_goes_on_when_the_image_is_there_or_the_time_is_over() {
        let (clock, reached) = (MemoryClock::new(0), Reached::default());
        let mut context = Context::from_waker(Waker::noop());
        let patience = Duration::from_secs(5);
        let mut first = pin!(reached.wait_for(&clock, Offset(3), patience));
        let mut second = pin!(reached.wait_for(&clock, Offset(9), patience));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        reached.0.send_replace(Offset(4));
        assert_eq!(first.as_mut().poll(&mut context), Poll::Ready(true));
        assert!(second.as_mut().poll(&mut context).is_pending());
        clock.advance(patience);
        assert_eq!(second.as_mut().poll(&mut context), Poll::Ready(false));
    }
}
