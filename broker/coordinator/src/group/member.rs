//! A member of a classic group.
//! Core.

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Monotonic;
use ottla_model::MemberId;

use super::turn::Waiter;
use crate::timers::TimerId;

/// One of the assignment strategies that a member offers, with its subscription.
#[derive(Clone, PartialEq, Debug)]
pub struct Protocol {
    pub name: Arc<str>,
    pub metadata: Bytes,
}

pub struct ClassicGroupMember {
    pub member_id: MemberId,
    /// Set for static members.
    pub group_instance_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub supported_protocols: Vec<Protocol>,
    pub assignment: Bytes,
    pub awaiting_join: Option<Waiter>,
    pub awaiting_sync: Option<Waiter>,
    /// It has not yet been through a rebalance: waiting does not keep it alive.
    pub is_new: bool,
    /// When the session ends unless something is heard.
    pub session_deadline: Monotonic,
    /// The entry in the timers; due at or before `session_deadline`.
    pub session_timer: Option<TimerId>,
}

impl ClassicGroupMember {
    pub fn is_static(&self) -> bool {
        self.group_instance_id.is_some()
    }

    pub fn is_awaiting_join(&self) -> bool {
        self.awaiting_join.is_some()
    }

    pub fn is_awaiting_sync(&self) -> bool {
        self.awaiting_sync.is_some()
    }

    /// Whether the member's own parked request shows that it lives.
    pub fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.is_awaiting_join() || self.is_awaiting_sync())
    }

    /// What the member said under this protocol.
    pub fn metadata(&self, protocol_name: &str) -> Bytes {
        self.supported_protocols
            .iter()
            .find(|protocol| &*protocol.name == protocol_name)
            .map(|protocol| protocol.metadata.clone())
            .unwrap_or_default()
    }
}
