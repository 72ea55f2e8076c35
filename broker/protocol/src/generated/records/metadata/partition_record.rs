//! Kafka's `PartitionRecord`, API versions 0-2.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0-2.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionRecord {
    /// The partition id. (versions 0-2)
    pub partition_id: i32,
    /// The unique ID of this topic. (versions 0-2)
    pub topic_id: Uuid,
    /// The replicas of this partition, sorted by preferred order. (versions 0-2)
    pub replicas: Vec<i32>,
    /// The in-sync replicas of this partition (versions 0-2)
    pub isr: Vec<i32>,
    /// The replicas that we are in the process of removing. (versions 0-2)
    pub removing_replicas: Vec<i32>,
    /// The replicas that we are in the process of adding. (versions 0-2)
    pub adding_replicas: Vec<i32>,
    /// The lead replica, or -1 if there is no leader. (versions 0-2)
    pub leader: i32,
    /// 1 if the partition is recovering from an unclean leader election; 0 otherwise. (versions 0-2)
    pub leader_recovery_state: i8,
    /// The epoch of the partition leader. (versions 0-2)
    pub leader_epoch: i32,
    /// An epoch that gets incremented each time we change anything in the partition. (versions 0-2)
    pub partition_epoch: i32,
    /// The log directory hosting each replica, sorted in the same exact order as the Replicas field. (versions 1-2)
    pub directories: Vec<Uuid>,
    /// The eligible leader replicas of this partition. (versions 2)
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// The last known eligible leader replicas of this partition. (versions 2)
    pub last_known_elr: Option<Vec<i32>>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for PartitionRecord {
    fn default() -> Self {
        Self {
            partition_id: -1,
            topic_id: Uuid::nil(),
            replicas: Vec::new(),
            isr: Vec::new(),
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            leader: -1,
            leader_recovery_state: 0,
            leader_epoch: -1,
            partition_epoch: -1,
            directories: Vec::new(),
            eligible_leader_replicas: None,
            last_known_elr: None,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for PartitionRecord {
    const NAME: &'static str = "PartitionRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for PartitionRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition_id = wire::get_i32(buf)?;
        value.topic_id = wire::get_uuid(buf)?;
        value.replicas = wire::get_array(buf, true, wire::get_i32)?;
        value.isr = wire::get_array(buf, true, wire::get_i32)?;
        value.removing_replicas = wire::get_array(buf, true, wire::get_i32)?;
        value.adding_replicas = wire::get_array(buf, true, wire::get_i32)?;
        value.leader = wire::get_i32(buf)?;
        value.leader_epoch = wire::get_i32(buf)?;
        value.partition_epoch = wire::get_i32(buf)?;
        if version >= 1 {
            value.directories = wire::get_array(buf, true, wire::get_uuid)?;
        }
        wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
            match tag {
                0 => {
                    value.leader_recovery_state = wire::get_i8(buf)?;
                }
                1 if version == 2 => {
                    value.eligible_leader_replicas =
                        wire::get_nullable_array(buf, true, true, wire::get_i32)?;
                }
                1 => return Err(DecodeError::TagNotInVersion(tag)),
                2 if version == 2 => {
                    value.last_known_elr = wire::get_nullable_array(buf, true, true, wire::get_i32)?;
                }
                2 => return Err(DecodeError::TagNotInVersion(tag)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(value)
    }
}

impl Encode for PartitionRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition_id);
        wire::put_uuid(buf, self.topic_id);
        wire::put_array(buf, true, &self.replicas, |buf, item| {
            wire::put_i32(buf, *item);
            Ok(())
        })?;
        wire::put_array(buf, true, &self.isr, |buf, item| {
            wire::put_i32(buf, *item);
            Ok(())
        })?;
        wire::put_array(buf, true, &self.removing_replicas, |buf, item| {
            wire::put_i32(buf, *item);
            Ok(())
        })?;
        wire::put_array(buf, true, &self.adding_replicas, |buf, item| {
            wire::put_i32(buf, *item);
            Ok(())
        })?;
        wire::put_i32(buf, self.leader);
        wire::put_i32(buf, self.leader_epoch);
        wire::put_i32(buf, self.partition_epoch);
        if version >= 1 {
            wire::put_array(buf, true, &self.directories, |buf, item| {
                wire::put_uuid(buf, *item);
                Ok(())
            })?;
        } else if !self.directories.is_empty() {
            return Err(EncodeError::FieldNotInVersion { field: "Directories", version });
        }
        let mut tags = wire::Tags::default();
        if self.leader_recovery_state != 0 {
            tags.put(0, |buf| {
                wire::put_i8(buf, self.leader_recovery_state);
                Ok(())
            })?;
        }
        if self.eligible_leader_replicas.is_some() {
            if version == 2 {
                tags.put(1, |buf| {
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
                tags.put(2, |buf| {
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
