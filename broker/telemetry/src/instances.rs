//! Clients that asked for a subscription: when they may ask and push again.
//! Core. `ClientMetricsInstance` and the checks of `ClientMetricsManager` (KIP-714).
//!
//! Invariants:
//! - I1. `by_end` has one entry for each instance, and at most `INSTANCES_MAX`.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use ottla_env::Monotonic;
use ottla_model::ErrorCode;
use uuid::Uuid;

use crate::subscriptions::{Asked, ClientFacts, Subscriptions};

/// Clients that are remembered; then the one that would be forgotten first makes room. As many as in Kafka.
const INSTANCES_MAX: usize = 16_384;
/// A client is remembered for three of its intervals, and at least so long.
const REMEMBERED_MIN: Duration = Duration::from_secs(60);

pub struct Instance {
    pub asked: Asked,
    pub facts: ClientFacts,
    version: u64,
    last_get: Option<Monotonic>,
    last_push: Option<Monotonic>,
    terminating: bool,
    last_error: ErrorCode,
    end: Monotonic,
    connection: u64,
}

#[derive(Default)]
pub struct Instances {
    by_id: HashMap<Uuid, Instance>,
    by_end: BTreeSet<(Monotonic, Uuid)>,
    by_connection: HashMap<u64, Uuid>,
}

/// How long what a client of this interval said is kept.
pub fn remembered(interval_ms: i32) -> Duration {
    REMEMBERED_MIN.max(Duration::from_millis(3 * interval_ms.unsigned_abs() as u64))
}

impl Instances {
    pub fn count(&self) -> usize {
        self.by_id.len()
    }

    pub fn get_mut(&mut self, id: Uuid) -> Option<&mut Instance> {
        self.by_id.get_mut(&id)
    }

    pub fn contains(&self, id: Uuid) -> bool {
        self.by_id.contains_key(&id)
    }

    /// The client as it is now: new, or new again when subscriptions have changed.
    pub fn enter(
        &mut self,
        id: Uuid,
        connection: u64,
        facts: impl FnOnce() -> ClientFacts,
        subscriptions: &Subscriptions,
        now: Monotonic,
    ) -> &mut Instance {
        self.forget_until(now);
        let version = subscriptions.version();
        let facts = match self.by_id.remove(&id) {
            Some(known) => {
                self.by_end.remove(&(known.end, id));
                if known.version == version {
                    return self.put(id, known, now);
                }
                known.facts
            }
            None => facts(),
        };
        let fresh = Instance {
            asked: subscriptions.of(id, &facts),
            facts,
            version,
            last_get: None,
            last_push: None,
            terminating: false,
            last_error: ErrorCode::None,
            end: now,
            connection,
        };
        // As in Kafka, a client goes with the connection on which it came, whichever it uses later.
        self.by_connection.insert(connection, id);
        self.put(id, fresh, now)
    }

    fn put(&mut self, id: Uuid, mut instance: Instance, now: Monotonic) -> &mut Instance {
        if self.by_id.len() == INSTANCES_MAX
            && let Some((_, first)) = self.by_end.first().copied()
        {
            self.remove(first);
        }
        instance.end = now.after(remembered(instance.asked.interval_ms));
        self.by_end.insert((instance.end, id));
        let entered = self.by_id.entry(id).insert_entry(instance).into_mut();
        assert!(self.by_end.len() <= INSTANCES_MAX, "I1");
        entered
    }

    fn remove(&mut self, id: Uuid) {
        if let Some(instance) = self.by_id.remove(&id) {
            assert!(self.by_end.remove(&(instance.end, id)), "I1");
            if self.by_connection.get(&instance.connection) == Some(&id) {
                self.by_connection.remove(&instance.connection);
            }
        }
    }

    fn forget_until(&mut self, now: Monotonic) {
        while let Some((end, id)) = self.by_end.first().copied().filter(|(end, _)| *end <= now) {
            assert!(end <= now, "only what is over is forgotten");
            self.remove(id);
        }
    }

    /// A client that is gone may ask at once when it is back.
    pub fn on_disconnect(&mut self, connection: u64) {
        if let Some(id) = self.by_connection.remove(&connection) {
            self.remove(id);
        }
    }
}

/// Whether so much time has gone by since a request; none was long ago.
fn has_passed(since: Option<Monotonic>, interval_ms: i32, now: Monotonic) -> bool {
    let interval = Duration::from_millis(u64::from(interval_ms.unsigned_abs()));
    since.is_none_or(|since| since.until(now) >= interval)
}

impl Instance {
    /// Whether GetTelemetrySubscriptions is answered: not before its time, but at once to a client that was told to ask.
    pub fn check_get(&mut self, now: Monotonic) -> Result<(), ErrorCode> {
        let told_to = [ErrorCode::UnknownSubscriptionId, ErrorCode::UnsupportedCompressionType]
            .contains(&self.last_error);
        if has_passed(self.last_get.max(self.last_push), self.asked.interval_ms, now) {
            self.last_get = Some(now);
        } else if !told_to {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        }
        self.last_error = ErrorCode::None;
        Ok(())
    }

    /// Whether a push is looked at.
    pub fn check_push(&mut self, push: &PushHead, now: Monotonic) -> Result<(), ErrorCode> {
        let checked = self.decide_push(push, now);
        if let Err(error) = checked {
            self.last_error = error;
        }
        self.terminating = push.terminating;
        checked
    }

    fn decide_push(&mut self, push: &PushHead, now: Monotonic) -> Result<(), ErrorCode> {
        if self.terminating {
            return Err(ErrorCode::InvalidRequest);
        }
        // The first push after a subscription was asked for comes at a time of the client's own choice.
        let may_push =
            self.last_get > self.last_push || has_passed(self.last_push, self.asked.interval_ms, now);
        if may_push {
            self.last_push = Some(now);
        } else if !push.terminating {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        }
        if push.subscription_id != self.asked.subscription_id {
            return Err(ErrorCode::UnknownSubscriptionId);
        }
        if !push.is_known_codec {
            return Err(ErrorCode::UnsupportedCompressionType);
        }
        if push.is_too_large { Err(ErrorCode::TelemetryTooLarge) } else { Ok(()) }
    }

    /// How the push ended.
    pub fn on_pushed(&mut self, result: Result<(), ErrorCode>) {
        self.last_error = result.err().unwrap_or(ErrorCode::None);
    }
}

/// A push without its body.
#[derive(Clone, Copy, Debug)]
pub struct PushHead {
    pub subscription_id: i32,
    pub terminating: bool,
    pub is_known_codec: bool,
    pub is_too_large: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(5);

    fn at(ms: u64) -> Monotonic {
        Monotonic(Duration::from_millis(ms))
    }

    fn head(instance: &Instance) -> PushHead {
        let subscription_id = instance.asked.subscription_id;
        PushHead { subscription_id, terminating: false, is_known_codec: true, is_too_large: false }
    }

    #[test]
    fn a_client_asks_and_pushes_once_an_interval() {
        let (mut all, subscriptions) = (Instances::default(), Subscriptions::default());
        let instance = all.enter(ID, 1, ClientFacts::default, &subscriptions, at(1));
        assert_eq!(instance.check_get(at(1)), Ok(()));
        assert_eq!(instance.check_get(at(2)), Err(ErrorCode::ThrottlingQuotaExceeded));
        let good = head(instance);
        assert_eq!(instance.check_push(&good, at(3)), Ok(()));
        assert_eq!(instance.check_push(&good, at(4)), Err(ErrorCode::ThrottlingQuotaExceeded));
        let other = PushHead { subscription_id: good.subscription_id + 1, ..good };
        assert_eq!(instance.check_push(&other, at(300_003)), Err(ErrorCode::UnknownSubscriptionId));
        // It was told to ask, so it may.
        assert_eq!(instance.check_get(at(300_004)), Ok(()));
        assert_eq!(instance.check_get(at(300_005)), Err(ErrorCode::ThrottlingQuotaExceeded));
        let odd = PushHead { is_known_codec: false, ..good };
        assert_eq!(instance.check_push(&odd, at(600_003)), Err(ErrorCode::UnsupportedCompressionType));
        let large = PushHead { is_too_large: true, ..good };
        assert_eq!(instance.check_push(&large, at(900_003)), Err(ErrorCode::TelemetryTooLarge));
        // The last push comes at any time, and is the last.
        let last = PushHead { terminating: true, ..good };
        assert_eq!(instance.check_push(&last, at(900_004)), Ok(()));
        assert_eq!(instance.check_push(&good, at(1_200_004)), Err(ErrorCode::InvalidRequest));
    }

    #[test]
    fn clients_are_forgotten_in_time_when_they_leave_and_when_there_are_too_many() {
        let (mut all, subscriptions) = (Instances::default(), Subscriptions::default());
        let enter = |all: &mut Instances, id: u128, connection: u64, ms: u64| {
            all.enter(Uuid::from_u128(id), connection, ClientFacts::default, &subscriptions, at(ms));
        };
        enter(&mut all, 1, 1, 0);
        enter(&mut all, 2, 2, 1);
        all.on_disconnect(1);
        assert!(!all.contains(Uuid::from_u128(1)) && all.count() == 1);
        enter(&mut all, 3, 3, 900_001);
        assert!(!all.contains(Uuid::from_u128(2)) && all.count() == 1);
        for id in 0..INSTANCES_MAX as u128 {
            enter(&mut all, 100 + id, 100 + id as u64, 900_002);
        }
        assert!(!all.contains(Uuid::from_u128(3)) && all.count() == INSTANCES_MAX);
    }
}
