//! A host's clocks: the steady one may run a little slower or faster than the world's, and each wall is its own.
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

const MILLION: i128 = 1_000_000;

/// How far each wall is off, and how fast each clock runs.
#[derive(Default)]
pub(super) struct Walls {
    shifts: Mutex<BTreeMap<HostId, i64>>,
    /// In millionths by which a clock is faster than the world's. It stands for good: a steady clock never goes back.
    rates: Mutex<BTreeMap<HostId, i32>>,
}

impl Walls {
    pub fn shift(&self, host: HostId, by_ms: i64) {
        *self.shifts.lock().entry(host).or_default() += by_ms;
    }

    pub fn set_rate(&self, host: HostId, millionths: i32) {
        self.rates.lock().insert(host, millionths);
    }

    fn shift_of(&self, host: HostId) -> i64 {
        self.shifts.lock().get(&host).copied().unwrap_or_default()
    }

    fn rate_of(&self, host: HostId) -> i128 {
        MILLION + i128::from(self.rates.lock().get(&host).copied().unwrap_or_default())
    }

    /// What a host's clock says at a moment of the world.
    fn here(&self, host: HostId, moment: Duration) -> Duration {
        of_nanos((nanos(moment) * self.rate_of(host)).div_euclid(MILLION))
    }

    /// The first moment of the world at which a host's clock says so.
    fn there(&self, host: HostId, moment: Duration) -> Duration {
        let rate = self.rate_of(host);
        of_nanos((nanos(moment) * MILLION + rate - 1).div_euclid(rate))
    }
}

fn nanos(moment: Duration) -> i128 {
    // Who waits for ever waits until the end of what can be counted.
    moment.as_nanos().min(u128::from(u64::MAX)) as i128
}

fn of_nanos(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

pub(super) struct HostClock {
    pub shared: Arc<Shared>,
    pub host: HostId,
}

impl Clock for HostClock {
    fn wall_ms(&self) -> i64 {
        BEGINNING_MS + self.monotonic().0.as_millis() as i64 + self.shared.walls.shift_of(self.host)
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.shared.walls.here(self.host, self.shared.now()))
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        sleep_until(&self.shared, Monotonic(self.shared.walls.there(self.host, deadline.0)))
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
