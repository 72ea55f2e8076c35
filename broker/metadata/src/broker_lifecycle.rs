//! A broker's life towards the controller, whoever that is: it registers, catches up, serves, and stops in order.
//! Core (Kafka's `BrokerLifecycleManager`). It says what to send and when; the process sends it and tells what came back.
//!
//! Invariants:
//! - I1. A heartbeat carries the epoch of the registration before it.
//! - I2. Nothing of one controller holds the next one up: a new controller is asked at once (KAFKA-14392).

use std::time::Duration;

use ottla_env::clock::Monotonic;
use ottla_model::{BrokerId, ErrorCode, Offset};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::broker_registration_request::{Feature as RequestFeature, Listener};
use ottla_protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest};
use uuid::Uuid;

use crate::controller::features::{Feature, KRAFT_VERSION};
use crate::controller::registration::Registration;

/// Between heartbeats while something is waited for: to have caught up, or to be let go.
const QUICK: Duration = Duration::from_millis(10);
/// After a first failure; it doubles up to the heartbeats' interval.
const RETRY: Duration = Duration::from_millis(20);

/// What a heartbeat says of this broker's log directories.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogDirs {
    pub offline: Vec<Uuid>,
    /// They take no new replicas (KIP-1066); `None` below the metadata.version of that.
    pub cordoned: Option<Vec<Uuid>>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Register(Box<BrokerRegistrationRequest>),
    Heartbeat(Box<BrokerHeartbeatRequest>),
    /// Nothing before this moment, unless something happens.
    Wait(Monotonic),
    /// The broker may stop.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Registering,
    /// Registered and fenced.
    CatchingUp,
    Serving,
    /// Nothing is sent any more.
    Gone,
}

pub struct BrokerLifecycle {
    registration: BrokerRegistrationRequest,
    interval: Duration,
    state: State,
    epoch: i64,
    wants_stop: bool,
    /// When the next request is due.
    due: Monotonic,
    failures: u32,
}

impl BrokerLifecycle {
    /// `previous_epoch`: under which this broker stopped cleanly before.
    pub fn new(
        broker_id: BrokerId,
        cluster_id: &str,
        registration: &Registration,
        features: &[Feature],
        previous_epoch: Option<i64>,
        interval: Duration,
    ) -> BrokerLifecycle {
        BrokerLifecycle {
            registration: request_of(broker_id, cluster_id, registration, features, previous_epoch),
            interval,
            state: State::Registering,
            epoch: -1,
            wants_stop: false,
            due: Monotonic::default(),
            failures: 0,
        }
    }

    /// What to do at `now`, with an image that ends at `offset`.
    pub fn step(&self, now: Monotonic, offset: Offset, log_dirs: LogDirs) -> Step {
        match self.state {
            State::Gone => Step::Gone,
            _ if now < self.due => Step::Wait(self.due),
            State::Registering => Step::Register(Box::new(self.registration.clone())),
            State::CatchingUp | State::Serving => Step::Heartbeat(Box::new(BrokerHeartbeatRequest {
                broker_id: self.registration.broker_id.0,
                broker_epoch: self.epoch,
                current_metadata_offset: offset.0,
                want_fence: false,
                want_shut_down: self.wants_stop,
                offline_log_dirs: log_dirs.offline,
                // Before, the configuration of this broker may not be known: what the controller knows stays.
                cordoned_log_dirs: log_dirs.cordoned.filter(|_| offset.0 >= self.epoch),
                ..BrokerHeartbeatRequest::default()
            })),
        }
    }

    /// The epoch under which this broker is registered.
    pub fn epoch(&self) -> Option<i64> {
        match self.state {
            State::Registering => None,
            State::CatchingUp | State::Serving | State::Gone => Some(self.epoch).filter(|epoch| *epoch >= 0),
        }
    }

    /// Registered, caught up and not fenced, as the controller said last.
    pub fn is_serving(&self) -> bool {
        self.state == State::Serving && !self.wants_stop
    }

    pub fn on_registration(&mut self, now: Monotonic, answer: Result<i64, ErrorCode>) {
        match answer {
            Ok(epoch) => {
                assert!(epoch >= 0, "a registration has an epoch");
                self.epoch = epoch;
                self.state = State::CatchingUp;
                self.failures = 0;
                self.due = now;
            }
            Err(_) => self.retry(now),
        }
    }

    pub fn on_heartbeat(&mut self, now: Monotonic, answer: Result<BrokerHeartbeatResponse, ErrorCode>) {
        let response = match answer {
            Ok(response) => response,
            // The controller has no registration of this epoch.
            Err(ErrorCode::StaleBrokerEpoch | ErrorCode::BrokerIdNotRegistered) => {
                self.state = if self.wants_stop { State::Gone } else { State::Registering };
                return self.retry(now);
            }
            Err(_) => return self.retry(now),
        };
        self.failures = 0;
        self.state = match (self.wants_stop && response.should_shut_down, response.is_fenced) {
            (true, _) => State::Gone,
            (false, true) => State::CatchingUp,
            (false, false) => State::Serving,
        };
        let is_waiting = self.wants_stop || self.state == State::CatchingUp;
        self.due = now.after(if is_waiting { QUICK } else { self.interval });
    }

    fn retry(&mut self, now: Monotonic) {
        let wait = RETRY.saturating_mul(1 << self.failures.min(16)).min(self.interval);
        self.failures += 1;
        self.due = now.after(wait);
    }

    /// Another controller leads: it is told at once that this broker lives.
    pub fn on_new_controller(&mut self, now: Monotonic) {
        self.failures = 0;
        self.due = now;
    }

    /// There is something to tell the controller, which hears it at once: a log directory has failed (it has others lead
    /// what was in it), or others are cordoned than before.
    pub fn on_news(&mut self, now: Monotonic) {
        if matches!(self.state, State::CatchingUp | State::Serving) {
            self.due = now;
        }
    }

    /// This broker wants to stop. Who is not registered may go.
    pub fn on_stop(&mut self, now: Monotonic) {
        self.wants_stop = true;
        self.due = now;
        if self.state == State::Registering {
            self.state = State::Gone;
        }
    }
}

fn request_of(
    broker_id: BrokerId,
    cluster_id: &str,
    registration: &Registration,
    features: &[Feature],
    previous_epoch: Option<i64>,
) -> BrokerRegistrationRequest {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let listener = |(name, host, port, protocol): &(String, String, u16, i16)| {
        Listener::default()
            .with_name(text(name))
            .with_host(text(host))
            .with_port(*port)
            .with_security_protocol(*protocol)
    };
    let feature = |feature: &Feature| {
        RequestFeature::default()
            .with_name(text(&feature.name))
            .with_min_supported_version(feature.min)
            .with_max_supported_version(feature.max)
    };
    BrokerRegistrationRequest::default()
        .with_broker_id(broker_id.0.into())
        .with_cluster_id(text(cluster_id))
        .with_incarnation_id(registration.incarnation_id)
        .with_listeners(registration.endpoints.iter().map(listener).collect())
        .with_features(features.iter().filter(|one| one.name != KRAFT_VERSION).map(feature).collect())
        .with_rack(registration.rack.as_deref().map(text))
        .with_log_dirs(registration.log_dirs.clone())
        .with_previous_broker_epoch(previous_epoch.unwrap_or(-1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::features;

    const INTERVAL: Duration = Duration::from_secs(2);

    fn lifecycle(previous: Option<i64>) -> BrokerLifecycle {
        let registration = Registration {
            endpoints: vec![("PLAINTEXT".to_owned(), "h".to_owned(), 9092, 0)],
            rack: Some("r".to_owned()),
            log_dirs: vec![Uuid::from_u128(500)],
            incarnation_id: Uuid::from_u128(7),
        };
        BrokerLifecycle::new(BrokerId(3), "cluster", &registration, &features(), previous, INTERVAL)
    }

    fn at(ms: i64) -> Monotonic {
        Monotonic::default().after_ms(ms)
    }

    fn beat(is_fenced: bool, should_shut_down: bool) -> Result<BrokerHeartbeatResponse, ErrorCode> {
        Ok(BrokerHeartbeatResponse { is_fenced, should_shut_down, ..Default::default() })
    }

    fn heartbeat(life: &BrokerLifecycle, ms: i64, offset: i64) -> BrokerHeartbeatRequest {
        match life.step(at(ms), Offset(offset), LogDirs::default()) {
            Step::Heartbeat(request) => *request,
            other => panic!("a heartbeat was due: {other:?}"),
        }
    }

    #[test]
    fn a_broker_registers_catches_up_quickly_and_serves() {
        let mut life = lifecycle(Some(12));
        let Step::Register(request) = life.step(at(0), Offset(-1), LogDirs::default()) else {
            panic!("it registers first")
        };
        assert_eq!((request.broker_id.0, request.previous_broker_epoch), (3, 12));
        assert_eq!((request.listeners.len(), request.log_dirs.len()), (1, 1));
        assert_eq!(life.epoch(), None);
        life.on_registration(at(5), Ok(40));
        assert_eq!((life.epoch(), life.is_serving()), (Some(40), false));
        let request = heartbeat(&life, 5, 39);
        assert_eq!((request.broker_epoch, request.current_metadata_offset), (40, 39));
        assert!(!request.want_shut_down);
        life.on_heartbeat(at(6), beat(true, false));
        assert_eq!(life.step(at(6), Offset(40), LogDirs::default()), Step::Wait(at(16)));
        heartbeat(&life, 16, 40);
        life.on_heartbeat(at(17), beat(false, false));
        assert!(life.is_serving());
        assert_eq!(life.step(at(18), Offset(40), LogDirs::default()), Step::Wait(at(2017)));
        // Fenced by the controller: quick again.
        life.on_heartbeat(at(2018), beat(true, false));
        assert!(!life.is_serving());
        assert_eq!(life.step(at(2018), Offset(40), LogDirs::default()), Step::Wait(at(2028)));
    }

    #[test]
    fn p16_failures_are_repeated_more_slowly_until_another_controller_leads() {
        let mut life = lifecycle(None);
        let mut waits = Vec::new();
        for _ in 0..9 {
            life.on_registration(at(0), Err(ErrorCode::DuplicateBrokerRegistration));
            let Step::Wait(until) = life.step(at(0), Offset(0), LogDirs::default()) else {
                panic!("it waits")
            };
            waits.push(Monotonic::default().until(until).as_millis());
        }
        assert_eq!(waits, [20, 40, 80, 160, 320, 640, 1280, 2000, 2000]);
        life.on_new_controller(at(3));
        assert!(matches!(life.step(at(3), Offset(0), LogDirs::default()), Step::Register(_)));
    }

    #[test]
    fn news_are_told_at_once_where_somebody_knows_this_broker() {
        let mut life = lifecycle(None);
        life.on_registration(at(0), Err(ErrorCode::NotController));
        life.on_news(at(1));
        assert_eq!(life.step(at(1), Offset(0), LogDirs::default()), Step::Wait(at(20)));
        life.on_registration(at(20), Ok(40));
        life.on_heartbeat(at(21), beat(false, false));
        let dirs = |cordoned| LogDirs { offline: vec![Uuid::from_u128(1)], cordoned };
        assert_eq!(life.step(at(22), Offset(40), dirs(None)), Step::Wait(at(2021)));
        life.on_news(at(22));
        let cordoned = Some(vec![Uuid::from_u128(2)]);
        let Step::Heartbeat(told) = life.step(at(22), Offset(40), dirs(cordoned.clone())) else {
            panic!("it is told")
        };
        assert_eq!(
            (&told.offline_log_dirs[..], &told.cordoned_log_dirs),
            (&dirs(None).offline[..], &cordoned)
        );
        // Without an image of its own registration a broker may not know its configuration.
        let Step::Heartbeat(early) = life.step(at(22), Offset(39), dirs(cordoned)) else {
            panic!("it lives")
        };
        assert_eq!((&early.offline_log_dirs[..], &early.cordoned_log_dirs), (&dirs(None).offline[..], &None));
    }

    #[test]
    fn a_registration_that_is_gone_is_made_anew() {
        for code in [ErrorCode::StaleBrokerEpoch, ErrorCode::BrokerIdNotRegistered] {
            let mut life = lifecycle(None);
            life.on_registration(at(0), Ok(4));
            life.on_heartbeat(at(1), beat(false, false));
            life.on_heartbeat(at(2), Err(ErrorCode::RequestTimedOut));
            assert_eq!(life.epoch(), Some(4), "who does not answer has forgotten nothing");
            life.on_heartbeat(at(3), Err(code));
            assert_eq!((life.epoch(), life.is_serving()), (None, false));
            assert!(matches!(life.step(at(100), Offset(0), LogDirs::default()), Step::Register(_)));
            life.on_registration(at(101), Ok(9));
            assert_eq!(heartbeat(&life, 101, 9).broker_epoch, 9);
        }
    }

    #[test]
    fn a_stop_is_asked_for_at_once_and_granted_by_the_controller() {
        let mut life = lifecycle(None);
        life.on_registration(at(0), Ok(4));
        life.on_heartbeat(at(1), beat(false, false));
        life.on_stop(at(2));
        assert!(!life.is_serving());
        assert!(heartbeat(&life, 2, 4).want_shut_down);
        life.on_heartbeat(at(3), beat(false, false));
        assert_eq!(life.step(at(3), Offset(4), LogDirs::default()), Step::Wait(at(13)));
        life.on_heartbeat(at(14), beat(true, true));
        assert_eq!(life.step(at(14), Offset(4), LogDirs::default()), Step::Gone);
        assert_eq!(life.epoch(), Some(4), "the next start says under which epoch this one stopped");
        let mut unregistered = lifecycle(None);
        unregistered.on_stop(at(0));
        assert_eq!(unregistered.step(at(0), Offset(0), LogDirs::default()), Step::Gone);
        assert_eq!(unregistered.epoch(), None);
        let mut unknown = lifecycle(None);
        unknown.on_registration(at(0), Ok(4));
        unknown.on_stop(at(1));
        unknown.on_heartbeat(at(2), Err(ErrorCode::StaleBrokerEpoch));
        assert_eq!(unknown.step(at(9), Offset(0), LogDirs::default()), Step::Gone);
    }
}
