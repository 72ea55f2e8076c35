//! A host's clocks: all share the steady one, and each wall is its own.
//! Shell.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;

use super::agenda::Event;
use super::{HostId, Shared};
use crate::BoxFuture;
use crate::clock::{Clock, Monotonic};

/// What every wall says at the beginning.
pub(super) const BEGINNING_MS: i64 = 1_700_000_000_000;

/// How far each wall is off.
#[derive(Default)]
pub(super) struct Walls(Mutex<BTreeMap<HostId, i64>>);

impl Walls {
    pub fn shift(&self, host: HostId, by_ms: i64) {
        *self.0.lock().entry(host).or_default() += by_ms;
    }

    fn of(&self, host: HostId) -> i64 {
        self.0.lock().get(&host).copied().unwrap_or_default()
    }
}

pub(super) struct HostClock {
    pub shared: Arc<Shared>,
    pub host: HostId,
}

impl Clock for HostClock {
    fn wall_ms(&self) -> i64 {
        BEGINNING_MS + self.shared.now().as_millis() as i64 + self.shared.walls.of(self.host)
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.shared.now())
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        sleep_until(&self.shared, deadline)
    }
}

pub(super) fn sleep_until(shared: &Arc<Shared>, deadline: Monotonic) -> BoxFuture<'static, ()> {
    Box::pin(Sleep { shared: shared.clone(), deadline, place: None })
}

struct Sleep {
    shared: Arc<Shared>,
    deadline: Monotonic,
    place: Option<(Duration, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut agenda = self.shared.agenda.lock();
        if agenda.now >= self.deadline.0 {
            return Poll::Ready(());
        }
        match self.place {
            Some(place) => agenda.rewake(place, context.waker()),
            None => {
                let place = agenda.add(self.deadline.0, Event::Wake(context.waker().clone()));
                drop(agenda);
                self.place = Some(place);
            }
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.shared.agenda.lock().remove(place);
        }
    }
}
