//! One batch of records that are in flight: their state as a whole, or of each on its own.
//! Core. After Kafka's `InFlightBatch` and `InFlightState`.

use ottla_env::Monotonic;
use ottla_model::MemberId;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordState {
    Available,
    Acquired,
    Acknowledged,
    Archived,
}

impl RecordState {
    /// Kafka's number of the state, as it is stored.
    pub fn id(self) -> i8 {
        match self {
            RecordState::Available => 0,
            RecordState::Acquired => 1,
            RecordState::Acknowledged => 2,
            RecordState::Archived => 4,
        }
    }

    pub fn from_id(id: i8) -> Option<RecordState> {
        Some(match id {
            0 => RecordState::Available,
            1 => RecordState::Acquired,
            2 => RecordState::Acknowledged,
            4 => RecordState::Archived,
            _ => return None,
        })
    }

    /// Nothing more happens to the record.
    pub fn is_terminal(self) -> bool {
        matches!(self, RecordState::Acknowledged | RecordState::Archived)
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct InFlightState {
    pub state: RecordState,
    pub delivery_count: i16,
    /// Who has it.
    pub member: Option<MemberId>,
    /// Until when; set as long as it is acquired.
    pub lock_until: Option<Monotonic>,
}

impl InFlightState {
    pub fn is_acquired_by(&self, member: &str) -> bool {
        self.state == RecordState::Acquired && self.is_of(member)
    }

    pub fn is_of(&self, member: &str) -> bool {
        self.member.as_ref().is_some_and(|owner| owner.as_str() == member)
    }

    pub fn acquire(&mut self, member: &MemberId, lock_until: Monotonic) {
        assert_eq!(self.state, RecordState::Available, "a record is with one member at a time");
        self.state = RecordState::Acquired;
        self.delivery_count += 1;
        self.member = Some(member.clone());
        self.lock_until = Some(lock_until);
    }

    /// Leaves its member for `to`. What was delivered as often as may be is not made available again.
    pub fn leave_for(&mut self, to: RecordState, delivery_count_limit: i32) {
        assert_eq!(self.state, RecordState::Acquired, "a record that is with nobody leaves nobody");
        let is_used_up = i32::from(self.delivery_count) >= delivery_count_limit;
        self.state = match to {
            RecordState::Available if is_used_up => RecordState::Archived,
            to => to,
        };
        self.member = None;
        self.lock_until = None;
    }

    pub fn archive(&mut self) {
        self.state = RecordState::Archived;
        self.member = None;
        self.lock_until = None;
    }
}

#[derive(Clone, PartialEq, Debug)]
pub enum States {
    /// All records of the batch alike.
    Batch(InFlightState),
    /// One for each record.
    Offsets(Vec<InFlightState>),
}

#[derive(Clone, PartialEq, Debug)]
pub struct InFlightBatch {
    pub first_offset: i64,
    pub last_offset: i64,
    pub states: States,
}

impl InFlightBatch {
    pub fn whole(first_offset: i64, last_offset: i64, state: InFlightState) -> InFlightBatch {
        InFlightBatch { first_offset, last_offset, states: States::Batch(state) }
    }

    pub fn record_count(&self) -> i64 {
        self.last_offset - self.first_offset + 1
    }

    pub fn lies_within(&self, first_offset: i64, last_offset: i64) -> bool {
        self.first_offset >= first_offset && self.last_offset <= last_offset
    }

    pub fn is_per_offset(&self) -> bool {
        matches!(self.states, States::Offsets(_))
    }

    /// The records' states one by one, made so if they were not.
    pub fn per_offset(&mut self) -> &mut Vec<InFlightState> {
        if let States::Batch(state) = &self.states {
            let count = self.record_count() as usize;
            self.states = States::Offsets(vec![state.clone(); count]);
        }
        match &mut self.states {
            States::Offsets(states) => states,
            States::Batch(_) => unreachable!("it was just split"),
        }
    }

    /// The state of one record; `None` when it is not in the batch.
    pub fn state_at(&self, offset: i64) -> Option<&InFlightState> {
        if offset < self.first_offset || offset > self.last_offset {
            return None;
        }
        match &self.states {
            States::Batch(state) => Some(state),
            States::Offsets(states) => states.get((offset - self.first_offset) as usize),
        }
    }
}
