//! Kafka's `PartitionChangeRecord`, API versions 0-2.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0-2.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionChangeRecord {
    /// The partition id. (versions 0-2)
    pub partition_id: i32,
    /// The unique ID of this topic. (versions 0-2)
    pub topic_id: Uuid,
    /// null if the ISR didn't change; the new in-sync replicas otherwise. (versions 0-2)
    pub isr: Option<Vec<i32>>,
    /// -1 if there is now no leader; -2 if the leader didn't change; the new leader otherwise. (versions 0-2)
    pub leader: i32,
    /// null if the replicas didn't change; the new replicas otherwise. (versions 0-2)
    pub replicas: Option<Vec<i32>>,
    /// null if the removing replicas didn't change; the new removing replicas otherwise. (versions 0-2)
    pub removing_replicas: Option<Vec<i32>>,
    /// null if the adding replicas didn't change; the new adding replicas otherwise. (versions 0-2)
    pub adding_replicas: Option<Vec<i32>>,
    /// -1 if it didn't change; 0 if the leader was elected from the ISR or recovered from an unclean election; 1 if the leader that was elected using unclean leader election and it is still recovering. (versions 0-2)
    pub leader_recovery_state: i8,
    /// null if the log dirs didn't change; the new log directory for each replica otherwise. (versions 1-2)
    pub directories: Option<Vec<Uuid>>,
    /// null if the ELR didn't change; the new eligible leader replicas otherwise. (versions 2)
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// null if the LastKnownElr didn't change; the last known eligible leader replicas otherwise. (versions 2)
    pub last_known_elr: Option<Vec<i32>>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for PartitionChangeRecord {
    fn default() -> Self {
        Self {
            partition_id: -1,
            topic_id: Uuid::nil(),
            isr: None,
            leader: -2,
            replicas: None,
            removing_replicas: None,
            adding_replicas: None,
            leader_recovery_state: -1,
            directories: None,
            eligible_leader_replicas: None,
            last_known_elr: None,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for PartitionChangeRecord {
    const NAME: &'static str = "PartitionChangeRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for PartitionChangeRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition_id = wire::get_i32(buf)?;
        value.topic_id = wire::get_uuid(buf)?;
        wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
            match tag {
                0 => {
                    value.isr = wire::get_nullable_array(buf, true, true, wire::get_i32)?;
                }
                1 => {
                    value.leader = wire::get_i32(buf)?;
                }
                2 => {
                    value.replicas = wire::get_nullable_array(buf, true, true, wire::get_i32)?;
                }
                3 => {
                    value.removing_replicas = wire::get_nullable_array(buf, true, true, wire::get_i32)?;
                }
                4 => {
                    value.adding_replicas = wire::get_nullable_array(buf, true, true, wire::get_i32)?;
                }
                5 => {
                    value.leader_recovery_state = wire::get_i8(buf)?;
                }
                8 if version >= 1 => {
                    value.directories = wire::get_nullable_array(buf, true, true, wire::get_uuid)?;
                }
                8 => return Err(DecodeError::TagNotInVersion(tag)),
                6 if version == 2 => {
                    value.eligible_leader_replicas =
                        wire::get_nullable_array(buf, true, true, wire::get_i32)?;
                }
                6 => return Err(DecodeError::TagNotInVersion(tag)),
                7 if version == 2 => {
                    value.last_known_elr = wire::get_nullable_array(buf, true, true, wire::get_i32)?;
                }
                7 => return Err(DecodeError::TagNotInVersion(tag)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(value)
    }
}

impl Encode for PartitionChangeRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition_id);
        wire::put_uuid(buf, self.topic_id);
        let mut tags = wire::Tags::default();
        if self.isr.is_some() {
            tags.put(0, |buf| {
                wire::put_nullable_array(buf, true, true, self.isr.as_deref(), |buf, item| {
                    wire::put_i32(buf, *item);
                    Ok(())
                })?;
                Ok(())
            })?;
        }
        if self.leader != -2 {
            tags.put(1, |buf| {
                wire::put_i32(buf, self.leader);
                Ok(())
            })?;
        }
        if self.replicas.is_some() {
            tags.put(2, |buf| {
                wire::put_nullable_array(buf, true, true, self.replicas.as_deref(), |buf, item| {
                    wire::put_i32(buf, *item);
                    Ok(())
                })?;
                Ok(())
            })?;
        }
        if self.removing_replicas.is_some() {
            tags.put(3, |buf| {
                wire::put_nullable_array(buf, true, true, self.removing_replicas.as_deref(), |buf, item| {
                    wire::put_i32(buf, *item);
                    Ok(())
                })?;
                Ok(())
            })?;
        }
        if self.adding_replicas.is_some() {
            tags.put(4, |buf| {
                wire::put_nullable_array(buf, true, true, self.adding_replicas.as_deref(), |buf, item| {
                    wire::put_i32(buf, *item);
                    Ok(())
                })?;
                Ok(())
            })?;
        }
        if self.leader_recovery_state != -1 {
            tags.put(5, |buf| {
                wire::put_i8(buf, self.leader_recovery_state);
                Ok(())
            })?;
        }
        if self.directories.is_some() {
            if version >= 1 {
                tags.put(8, |buf| {
                    wire::put_nullable_array(buf, true, true, self.directories.as_deref(), |buf, item| {
                        wire::put_uuid(buf, *item);
                        Ok(())
                    })?;
                    Ok(())
                })?;
            } else {
                return Err(EncodeError::FieldNotInVersion { field: "Directories", version });
            }
        }
        if self.eligible_leader_replicas.is_some() {
            if version == 2 {
                tags.put(6, |buf| {
                    wire::put_nullable_array(
                        buf,
                        true,
                        true,
                        self.eligible_leader_replicas.as_deref(),
                        |buf, item| {
                            wire::put_i32(buf, *item);
                            Ok(())
                        },
                    )?;
                    Ok(())
                })?;
            } else {
                return Err(EncodeError::FieldNotInVersion { field: "EligibleLeaderReplicas", version });
            }
        }
        if self.last_known_elr.is_some() {
            if version == 2 {
                tags.put(7, |buf| {
                    wire::put_nullable_array(
                        buf,
                        true,
                        true,
                        self.last_known_elr.as_deref(),
                        |buf, item| {
                            wire::put_i32(buf, *item);
                            Ok(())
                        },
                    )?;
                    Ok(())
                })?;
            } else {
                return Err(EncodeError::FieldNotInVersion { field: "LastKnownElr", version });
            }
        }
        tags.finish(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
