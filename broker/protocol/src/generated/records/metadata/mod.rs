//! Records of the cluster metadata log.
//! Core. Written by ottla-protocol-generator; never edited by hand.

use bytes::{Bytes, BytesMut};

use crate::codec::{Decode, DecodeError, Encode, EncodeError, RecordSet, Schema};

pub mod abort_transaction_record;
pub mod access_control_entry_record;
pub mod begin_transaction_record;
pub mod broker_registration_change_record;
pub mod clear_elr_record;
pub mod client_quota_record;
pub mod config_record;
pub mod delegation_token_record;
pub mod end_transaction_record;
pub mod feature_level_record;
pub mod fence_broker_record;
pub mod no_op_record;
pub mod partition_change_record;
pub mod partition_record;
pub mod producer_ids_record;
pub mod register_broker_record;
pub mod register_controller_record;
pub mod remove_access_control_entry_record;
pub mod remove_delegation_token_record;
pub mod remove_topic_record;
pub mod remove_user_scram_credential_record;
pub mod topic_record;
pub mod unfence_broker_record;
pub mod unregister_broker_record;
pub mod user_scram_credential_record;
pub mod zk_migration_state_record;

pub use abort_transaction_record::AbortTransactionRecord;
pub use access_control_entry_record::AccessControlEntryRecord;
pub use begin_transaction_record::BeginTransactionRecord;
pub use broker_registration_change_record::BrokerRegistrationChangeRecord;
pub use clear_elr_record::ClearElrRecord;
pub use client_quota_record::ClientQuotaRecord;
pub use config_record::ConfigRecord;
pub use delegation_token_record::DelegationTokenRecord;
pub use end_transaction_record::EndTransactionRecord;
pub use feature_level_record::FeatureLevelRecord;
pub use fence_broker_record::FenceBrokerRecord;
pub use no_op_record::NoOpRecord;
pub use partition_change_record::PartitionChangeRecord;
pub use partition_record::PartitionRecord;
pub use producer_ids_record::ProducerIdsRecord;
pub use register_broker_record::RegisterBrokerRecord;
pub use register_controller_record::RegisterControllerRecord;
pub use remove_access_control_entry_record::RemoveAccessControlEntryRecord;
pub use remove_delegation_token_record::RemoveDelegationTokenRecord;
pub use remove_topic_record::RemoveTopicRecord;
pub use remove_user_scram_credential_record::RemoveUserScramCredentialRecord;
pub use topic_record::TopicRecord;
pub use unfence_broker_record::UnfenceBrokerRecord;
pub use unregister_broker_record::UnregisterBrokerRecord;
pub use user_scram_credential_record::UserScramCredentialRecord;
pub use zk_migration_state_record::ZkMigrationStateRecord;

/// A record of the cluster metadata log.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Records are read one at a time; none is kept in this shape.
pub enum MetadataRecord {
    RegisterBroker(RegisterBrokerRecord),
    UnregisterBroker(UnregisterBrokerRecord),
    Topic(TopicRecord),
    Partition(PartitionRecord),
    Config(ConfigRecord),
    PartitionChange(PartitionChangeRecord),
    FenceBroker(FenceBrokerRecord),
    UnfenceBroker(UnfenceBrokerRecord),
    RemoveTopic(RemoveTopicRecord),
    DelegationToken(DelegationTokenRecord),
    UserScramCredential(UserScramCredentialRecord),
    FeatureLevel(FeatureLevelRecord),
    ClientQuota(ClientQuotaRecord),
    ProducerIds(ProducerIdsRecord),
    BrokerRegistrationChange(BrokerRegistrationChangeRecord),
    AccessControlEntry(AccessControlEntryRecord),
    RemoveAccessControlEntry(RemoveAccessControlEntryRecord),
    NoOp(NoOpRecord),
    ZkMigrationState(ZkMigrationStateRecord),
    RemoveUserScramCredential(RemoveUserScramCredentialRecord),
    BeginTransaction(BeginTransactionRecord),
    EndTransaction(EndTransactionRecord),
    AbortTransaction(AbortTransactionRecord),
    RemoveDelegationToken(RemoveDelegationTokenRecord),
    RegisterController(RegisterControllerRecord),
    ClearElr(ClearElrRecord),
}

impl RecordSet for MetadataRecord {
    const NAME: &'static str = "MetadataRecord";
    fn api_key(&self) -> i16 {
        match self {
            Self::RegisterBroker(_) => 0,
            Self::UnregisterBroker(_) => 1,
            Self::Topic(_) => 2,
            Self::Partition(_) => 3,
            Self::Config(_) => 4,
            Self::PartitionChange(_) => 5,
            Self::FenceBroker(_) => 7,
            Self::UnfenceBroker(_) => 8,
            Self::RemoveTopic(_) => 9,
            Self::DelegationToken(_) => 10,
            Self::UserScramCredential(_) => 11,
            Self::FeatureLevel(_) => 12,
            Self::ClientQuota(_) => 14,
            Self::ProducerIds(_) => 15,
            Self::BrokerRegistrationChange(_) => 17,
            Self::AccessControlEntry(_) => 18,
            Self::RemoveAccessControlEntry(_) => 19,
            Self::NoOp(_) => 20,
            Self::ZkMigrationState(_) => 21,
            Self::RemoveUserScramCredential(_) => 22,
            Self::BeginTransaction(_) => 23,
            Self::EndTransaction(_) => 24,
            Self::AbortTransaction(_) => 25,
            Self::RemoveDelegationToken(_) => 26,
            Self::RegisterController(_) => 27,
            Self::ClearElr(_) => 28,
        }
    }
    fn name(&self) -> &'static str {
        match self {
            Self::RegisterBroker(_) => "RegisterBrokerRecord",
            Self::UnregisterBroker(_) => "UnregisterBrokerRecord",
            Self::Topic(_) => "TopicRecord",
            Self::Partition(_) => "PartitionRecord",
            Self::Config(_) => "ConfigRecord",
            Self::PartitionChange(_) => "PartitionChangeRecord",
            Self::FenceBroker(_) => "FenceBrokerRecord",
            Self::UnfenceBroker(_) => "UnfenceBrokerRecord",
            Self::RemoveTopic(_) => "RemoveTopicRecord",
            Self::DelegationToken(_) => "DelegationTokenRecord",
            Self::UserScramCredential(_) => "UserScramCredentialRecord",
            Self::FeatureLevel(_) => "FeatureLevelRecord",
            Self::ClientQuota(_) => "ClientQuotaRecord",
            Self::ProducerIds(_) => "ProducerIdsRecord",
            Self::BrokerRegistrationChange(_) => "BrokerRegistrationChangeRecord",
            Self::AccessControlEntry(_) => "AccessControlEntryRecord",
            Self::RemoveAccessControlEntry(_) => "RemoveAccessControlEntryRecord",
            Self::NoOp(_) => "NoOpRecord",
            Self::ZkMigrationState(_) => "ZkMigrationStateRecord",
            Self::RemoveUserScramCredential(_) => "RemoveUserScramCredentialRecord",
            Self::BeginTransaction(_) => "BeginTransactionRecord",
            Self::EndTransaction(_) => "EndTransactionRecord",
            Self::AbortTransaction(_) => "AbortTransactionRecord",
            Self::RemoveDelegationToken(_) => "RemoveDelegationTokenRecord",
            Self::RegisterController(_) => "RegisterControllerRecord",
            Self::ClearElr(_) => "ClearElrRecord",
        }
    }
    fn highest_version(&self) -> i16 {
        match self {
            Self::RegisterBroker(_) => RegisterBrokerRecord::HIGHEST_VERSION,
            Self::UnregisterBroker(_) => UnregisterBrokerRecord::HIGHEST_VERSION,
            Self::Topic(_) => TopicRecord::HIGHEST_VERSION,
            Self::Partition(_) => PartitionRecord::HIGHEST_VERSION,
            Self::Config(_) => ConfigRecord::HIGHEST_VERSION,
            Self::PartitionChange(_) => PartitionChangeRecord::HIGHEST_VERSION,
            Self::FenceBroker(_) => FenceBrokerRecord::HIGHEST_VERSION,
            Self::UnfenceBroker(_) => UnfenceBrokerRecord::HIGHEST_VERSION,
            Self::RemoveTopic(_) => RemoveTopicRecord::HIGHEST_VERSION,
            Self::DelegationToken(_) => DelegationTokenRecord::HIGHEST_VERSION,
            Self::UserScramCredential(_) => UserScramCredentialRecord::HIGHEST_VERSION,
            Self::FeatureLevel(_) => FeatureLevelRecord::HIGHEST_VERSION,
            Self::ClientQuota(_) => ClientQuotaRecord::HIGHEST_VERSION,
            Self::ProducerIds(_) => ProducerIdsRecord::HIGHEST_VERSION,
            Self::BrokerRegistrationChange(_) => BrokerRegistrationChangeRecord::HIGHEST_VERSION,
            Self::AccessControlEntry(_) => AccessControlEntryRecord::HIGHEST_VERSION,
            Self::RemoveAccessControlEntry(_) => RemoveAccessControlEntryRecord::HIGHEST_VERSION,
            Self::NoOp(_) => NoOpRecord::HIGHEST_VERSION,
            Self::ZkMigrationState(_) => ZkMigrationStateRecord::HIGHEST_VERSION,
            Self::RemoveUserScramCredential(_) => RemoveUserScramCredentialRecord::HIGHEST_VERSION,
            Self::BeginTransaction(_) => BeginTransactionRecord::HIGHEST_VERSION,
            Self::EndTransaction(_) => EndTransactionRecord::HIGHEST_VERSION,
            Self::AbortTransaction(_) => AbortTransactionRecord::HIGHEST_VERSION,
            Self::RemoveDelegationToken(_) => RemoveDelegationTokenRecord::HIGHEST_VERSION,
            Self::RegisterController(_) => RegisterControllerRecord::HIGHEST_VERSION,
            Self::ClearElr(_) => ClearElrRecord::HIGHEST_VERSION,
        }
    }
    fn encode_body(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        match self {
            Self::RegisterBroker(record) => record.encode(buf, version),
            Self::UnregisterBroker(record) => record.encode(buf, version),
            Self::Topic(record) => record.encode(buf, version),
            Self::Partition(record) => record.encode(buf, version),
            Self::Config(record) => record.encode(buf, version),
            Self::PartitionChange(record) => record.encode(buf, version),
            Self::FenceBroker(record) => record.encode(buf, version),
            Self::UnfenceBroker(record) => record.encode(buf, version),
            Self::RemoveTopic(record) => record.encode(buf, version),
            Self::DelegationToken(record) => record.encode(buf, version),
            Self::UserScramCredential(record) => record.encode(buf, version),
            Self::FeatureLevel(record) => record.encode(buf, version),
            Self::ClientQuota(record) => record.encode(buf, version),
            Self::ProducerIds(record) => record.encode(buf, version),
            Self::BrokerRegistrationChange(record) => record.encode(buf, version),
            Self::AccessControlEntry(record) => record.encode(buf, version),
            Self::RemoveAccessControlEntry(record) => record.encode(buf, version),
            Self::NoOp(record) => record.encode(buf, version),
            Self::ZkMigrationState(record) => record.encode(buf, version),
            Self::RemoveUserScramCredential(record) => record.encode(buf, version),
            Self::BeginTransaction(record) => record.encode(buf, version),
            Self::EndTransaction(record) => record.encode(buf, version),
            Self::AbortTransaction(record) => record.encode(buf, version),
            Self::RemoveDelegationToken(record) => record.encode(buf, version),
            Self::RegisterController(record) => record.encode(buf, version),
            Self::ClearElr(record) => record.encode(buf, version),
        }
    }
    fn decode_body(api_key: i16, buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        match api_key {
            0 => Ok(Self::RegisterBroker(RegisterBrokerRecord::decode(buf, version)?)),
            1 => Ok(Self::UnregisterBroker(UnregisterBrokerRecord::decode(buf, version)?)),
            2 => Ok(Self::Topic(TopicRecord::decode(buf, version)?)),
            3 => Ok(Self::Partition(PartitionRecord::decode(buf, version)?)),
            4 => Ok(Self::Config(ConfigRecord::decode(buf, version)?)),
            5 => Ok(Self::PartitionChange(PartitionChangeRecord::decode(buf, version)?)),
            7 => Ok(Self::FenceBroker(FenceBrokerRecord::decode(buf, version)?)),
            8 => Ok(Self::UnfenceBroker(UnfenceBrokerRecord::decode(buf, version)?)),
            9 => Ok(Self::RemoveTopic(RemoveTopicRecord::decode(buf, version)?)),
            10 => Ok(Self::DelegationToken(DelegationTokenRecord::decode(buf, version)?)),
            11 => Ok(Self::UserScramCredential(UserScramCredentialRecord::decode(buf, version)?)),
            12 => Ok(Self::FeatureLevel(FeatureLevelRecord::decode(buf, version)?)),
            14 => Ok(Self::ClientQuota(ClientQuotaRecord::decode(buf, version)?)),
            15 => Ok(Self::ProducerIds(ProducerIdsRecord::decode(buf, version)?)),
            17 => Ok(Self::BrokerRegistrationChange(BrokerRegistrationChangeRecord::decode(buf, version)?)),
            18 => Ok(Self::AccessControlEntry(AccessControlEntryRecord::decode(buf, version)?)),
            19 => Ok(Self::RemoveAccessControlEntry(RemoveAccessControlEntryRecord::decode(buf, version)?)),
            20 => Ok(Self::NoOp(NoOpRecord::decode(buf, version)?)),
            21 => Ok(Self::ZkMigrationState(ZkMigrationStateRecord::decode(buf, version)?)),
            22 => Ok(Self::RemoveUserScramCredential(RemoveUserScramCredentialRecord::decode(buf, version)?)),
            23 => Ok(Self::BeginTransaction(BeginTransactionRecord::decode(buf, version)?)),
            24 => Ok(Self::EndTransaction(EndTransactionRecord::decode(buf, version)?)),
            25 => Ok(Self::AbortTransaction(AbortTransactionRecord::decode(buf, version)?)),
            26 => Ok(Self::RemoveDelegationToken(RemoveDelegationTokenRecord::decode(buf, version)?)),
            27 => Ok(Self::RegisterController(RegisterControllerRecord::decode(buf, version)?)),
            28 => Ok(Self::ClearElr(ClearElrRecord::decode(buf, version)?)),
            _ => Err(DecodeError::UnknownRecord { set: Self::NAME, api_key }),
        }
    }
}

impl From<RegisterBrokerRecord> for MetadataRecord {
    fn from(record: RegisterBrokerRecord) -> Self {
        Self::RegisterBroker(record)
    }
}

impl From<UnregisterBrokerRecord> for MetadataRecord {
    fn from(record: UnregisterBrokerRecord) -> Self {
        Self::UnregisterBroker(record)
    }
}

impl From<TopicRecord> for MetadataRecord {
    fn from(record: TopicRecord) -> Self {
        Self::Topic(record)
    }
}

impl From<PartitionRecord> for MetadataRecord {
    fn from(record: PartitionRecord) -> Self {
        Self::Partition(record)
    }
}

impl From<ConfigRecord> for MetadataRecord {
    fn from(record: ConfigRecord) -> Self {
        Self::Config(record)
    }
}

impl From<PartitionChangeRecord> for MetadataRecord {
    fn from(record: PartitionChangeRecord) -> Self {
        Self::PartitionChange(record)
    }
}

impl From<FenceBrokerRecord> for MetadataRecord {
    fn from(record: FenceBrokerRecord) -> Self {
        Self::FenceBroker(record)
    }
}

impl From<UnfenceBrokerRecord> for MetadataRecord {
    fn from(record: UnfenceBrokerRecord) -> Self {
        Self::UnfenceBroker(record)
    }
}

impl From<RemoveTopicRecord> for MetadataRecord {
    fn from(record: RemoveTopicRecord) -> Self {
        Self::RemoveTopic(record)
    }
}

impl From<DelegationTokenRecord> for MetadataRecord {
    fn from(record: DelegationTokenRecord) -> Self {
        Self::DelegationToken(record)
    }
}

impl From<UserScramCredentialRecord> for MetadataRecord {
    fn from(record: UserScramCredentialRecord) -> Self {
        Self::UserScramCredential(record)
    }
}

impl From<FeatureLevelRecord> for MetadataRecord {
    fn from(record: FeatureLevelRecord) -> Self {
        Self::FeatureLevel(record)
    }
}

impl From<ClientQuotaRecord> for MetadataRecord {
    fn from(record: ClientQuotaRecord) -> Self {
        Self::ClientQuota(record)
    }
}

impl From<ProducerIdsRecord> for MetadataRecord {
    fn from(record: ProducerIdsRecord) -> Self {
        Self::ProducerIds(record)
    }
}

impl From<BrokerRegistrationChangeRecord> for MetadataRecord {
    fn from(record: BrokerRegistrationChangeRecord) -> Self {
        Self::BrokerRegistrationChange(record)
    }
}

impl From<AccessControlEntryRecord> for MetadataRecord {
    fn from(record: AccessControlEntryRecord) -> Self {
        Self::AccessControlEntry(record)
    }
}

impl From<RemoveAccessControlEntryRecord> for MetadataRecord {
    fn from(record: RemoveAccessControlEntryRecord) -> Self {
        Self::RemoveAccessControlEntry(record)
    }
}

impl From<NoOpRecord> for MetadataRecord {
    fn from(record: NoOpRecord) -> Self {
        Self::NoOp(record)
    }
}

impl From<ZkMigrationStateRecord> for MetadataRecord {
    fn from(record: ZkMigrationStateRecord) -> Self {
        Self::ZkMigrationState(record)
    }
}

impl From<RemoveUserScramCredentialRecord> for MetadataRecord {
    fn from(record: RemoveUserScramCredentialRecord) -> Self {
        Self::RemoveUserScramCredential(record)
    }
}

impl From<BeginTransactionRecord> for MetadataRecord {
    fn from(record: BeginTransactionRecord) -> Self {
        Self::BeginTransaction(record)
    }
}

impl From<EndTransactionRecord> for MetadataRecord {
    fn from(record: EndTransactionRecord) -> Self {
        Self::EndTransaction(record)
    }
}

impl From<AbortTransactionRecord> for MetadataRecord {
    fn from(record: AbortTransactionRecord) -> Self {
        Self::AbortTransaction(record)
    }
}

impl From<RemoveDelegationTokenRecord> for MetadataRecord {
    fn from(record: RemoveDelegationTokenRecord) -> Self {
        Self::RemoveDelegationToken(record)
    }
}

impl From<RegisterControllerRecord> for MetadataRecord {
    fn from(record: RegisterControllerRecord) -> Self {
        Self::RegisterController(record)
    }
}

impl From<ClearElrRecord> for MetadataRecord {
    fn from(record: ClearElrRecord) -> Self {
        Self::ClearElr(record)
    }
}
