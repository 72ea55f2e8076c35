//! Kafka's error codes: the only numbering of errors in the house.
//! Core. Codes and their retriability are those of Apache Kafka 4.3.1's `Errors` class.

macro_rules! error_codes {
    ($( $name:ident = $code:literal, $retriable:literal; )*) => {
        /// What a response says went wrong; `None` is success.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i16)]
        pub enum ErrorCode {
            $( $name = $code, )*
        }

        impl ErrorCode {
            /// The code with this number, if Kafka 4.3.1 knows it.
            pub fn from_code(code: i16) -> Option<ErrorCode> {
                match code {
                    $( $code => Some(ErrorCode::$name), )*
                    _ => None,
                }
            }

            /// Whether a client may send the same request again.
            pub fn is_retriable(self) -> bool {
                match self {
                    $( ErrorCode::$name => $retriable, )*
                }
            }

            /// The name as this enum spells it.
            pub fn name(self) -> &'static str {
                match self {
                    $( ErrorCode::$name => stringify!($name), )*
                }
            }
        }
    };
}

error_codes! {
    None = 0, false;
    UnknownServerError = -1, false;
    OffsetOutOfRange = 1, false;
    CorruptMessage = 2, true;
    UnknownTopicOrPartition = 3, true;
    InvalidFetchSize = 4, false;
    LeaderNotAvailable = 5, true;
    NotLeaderOrFollower = 6, true;
    RequestTimedOut = 7, true;
    BrokerNotAvailable = 8, false;
    ReplicaNotAvailable = 9, true;
    MessageTooLarge = 10, false;
    StaleControllerEpoch = 11, false;
    OffsetMetadataTooLarge = 12, false;
    NetworkException = 13, true;
    CoordinatorLoadInProgress = 14, true;
    CoordinatorNotAvailable = 15, true;
    NotCoordinator = 16, true;
    InvalidTopicException = 17, false;
    RecordListTooLarge = 18, false;
    NotEnoughReplicas = 19, true;
    NotEnoughReplicasAfterAppend = 20, true;
    InvalidRequiredAcks = 21, false;
    IllegalGeneration = 22, false;
    InconsistentGroupProtocol = 23, false;
    InvalidGroupId = 24, false;
    UnknownMemberId = 25, false;
    InvalidSessionTimeout = 26, false;
    RebalanceInProgress = 27, false;
    InvalidCommitOffsetSize = 28, false;
    TopicAuthorizationFailed = 29, false;
    GroupAuthorizationFailed = 30, false;
    ClusterAuthorizationFailed = 31, false;
    InvalidTimestamp = 32, false;
    UnsupportedSaslMechanism = 33, false;
    IllegalSaslState = 34, false;
    UnsupportedVersion = 35, false;
    TopicAlreadyExists = 36, false;
    InvalidPartitions = 37, false;
    InvalidReplicationFactor = 38, false;
    InvalidReplicaAssignment = 39, false;
    InvalidConfig = 40, false;
    NotController = 41, true;
    InvalidRequest = 42, false;
    UnsupportedForMessageFormat = 43, false;
    PolicyViolation = 44, false;
    OutOfOrderSequenceNumber = 45, false;
    DuplicateSequenceNumber = 46, false;
    InvalidProducerEpoch = 47, false;
    InvalidTxnState = 48, false;
    InvalidProducerIdMapping = 49, false;
    InvalidTransactionTimeout = 50, false;
    ConcurrentTransactions = 51, false;
    TransactionCoordinatorFenced = 52, false;
    TransactionalIdAuthorizationFailed = 53, false;
    SecurityDisabled = 54, false;
    OperationNotAttempted = 55, false;
    KafkaStorageError = 56, true;
    LogDirNotFound = 57, false;
    SaslAuthenticationFailed = 58, false;
    UnknownProducerId = 59, false;
    ReassignmentInProgress = 60, false;
    DelegationTokenAuthDisabled = 61, false;
    DelegationTokenNotFound = 62, false;
    DelegationTokenOwnerMismatch = 63, false;
    DelegationTokenRequestNotAllowed = 64, false;
    DelegationTokenAuthorizationFailed = 65, false;
    DelegationTokenExpired = 66, false;
    InvalidPrincipalType = 67, false;
    NonEmptyGroup = 68, false;
    GroupIdNotFound = 69, false;
    FetchSessionIdNotFound = 70, true;
    InvalidFetchSessionEpoch = 71, true;
    ListenerNotFound = 72, true;
    TopicDeletionDisabled = 73, false;
    FencedLeaderEpoch = 74, true;
    UnknownLeaderEpoch = 75, true;
    UnsupportedCompressionType = 76, false;
    StaleBrokerEpoch = 77, false;
    OffsetNotAvailable = 78, true;
    MemberIdRequired = 79, false;
    PreferredLeaderNotAvailable = 80, true;
    GroupMaxSizeReached = 81, false;
    FencedInstanceId = 82, false;
    EligibleLeadersNotAvailable = 83, true;
    ElectionNotNeeded = 84, true;
    NoReassignmentInProgress = 85, false;
    GroupSubscribedToTopic = 86, false;
    InvalidRecord = 87, false;
    UnstableOffsetCommit = 88, true;
    ThrottlingQuotaExceeded = 89, true;
    ProducerFenced = 90, false;
    ResourceNotFound = 91, false;
    DuplicateResource = 92, false;
    UnacceptableCredential = 93, false;
    InconsistentVoterSet = 94, false;
    InvalidUpdateVersion = 95, false;
    FeatureUpdateFailed = 96, false;
    PrincipalDeserializationFailure = 97, false;
    SnapshotNotFound = 98, false;
    PositionOutOfRange = 99, false;
    UnknownTopicId = 100, true;
    DuplicateBrokerRegistration = 101, false;
    BrokerIdNotRegistered = 102, false;
    InconsistentTopicId = 103, true;
    InconsistentClusterId = 104, false;
    TransactionalIdNotFound = 105, false;
    FetchSessionTopicIdError = 106, true;
    IneligibleReplica = 107, false;
    NewLeaderElected = 108, false;
    OffsetMovedToTieredStorage = 109, false;
    FencedMemberEpoch = 110, false;
    UnreleasedInstanceId = 111, false;
    UnsupportedAssignor = 112, false;
    StaleMemberEpoch = 113, false;
    MismatchedEndpointType = 114, false;
    UnsupportedEndpointType = 115, false;
    UnknownControllerId = 116, false;
    UnknownSubscriptionId = 117, false;
    TelemetryTooLarge = 118, false;
    InvalidRegistration = 119, false;
    TransactionAbortable = 120, false;
    InvalidRecordState = 121, false;
    ShareSessionNotFound = 122, true;
    InvalidShareSessionEpoch = 123, true;
    FencedStateEpoch = 124, false;
    InvalidVoterKey = 125, false;
    DuplicateVoter = 126, false;
    VoterNotFound = 127, false;
    InvalidRegularExpression = 128, false;
    RebootstrapRequired = 129, false;
    StreamsInvalidTopology = 130, false;
    StreamsInvalidTopologyEpoch = 131, false;
    StreamsTopologyFenced = 132, false;
    ShareSessionLimitReached = 133, true;
}

impl ErrorCode {
    /// The number on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Whether this is success.
    pub fn is_none(self) -> bool {
        self == ErrorCode::None
    }
}

impl ErrorCode {
    /// Kafka's own text of an error, where an answer carries it; the name of any other.
    pub fn message(self) -> &'static str {
        match self {
            ErrorCode::UnknownServerError => {
                "The server experienced an unexpected error when processing the request."
            }
            ErrorCode::UnknownTopicOrPartition => "This server does not host this topic-partition.",
            ErrorCode::LeaderNotAvailable => {
                "There is no leader for this topic-partition as we are in the middle of a leadership election."
            }
            ErrorCode::NotLeaderOrFollower => {
                "For requests intended only for the leader, this error indicates that the broker is not the current \
                 leader. For requests intended for any replica, this error indicates that the broker is not a replica \
                 of the topic partition."
            }
            ErrorCode::CoordinatorLoadInProgress => {
                "The coordinator is loading and hence can't process requests."
            }
            ErrorCode::CoordinatorNotAvailable => "The coordinator is not available.",
            ErrorCode::NotCoordinator => "This is not the correct coordinator.",
            ErrorCode::InvalidGroupId => "The group id is invalid.",
            ErrorCode::TopicAuthorizationFailed => "Topic authorization failed.",
            ErrorCode::GroupAuthorizationFailed => "Group authorization failed.",
            ErrorCode::ClusterAuthorizationFailed => "Cluster authorization failed.",
            ErrorCode::UnsupportedVersion => "The version of API is not supported.",
            ErrorCode::InvalidRequest => {
                "This most likely occurs because of a request being malformed by the client library or the message was \
                 sent to an incompatible broker. See the broker logs for more details."
            }
            ErrorCode::TransactionalIdAuthorizationFailed => "Transactional Id authorization failed.",
            ErrorCode::KafkaStorageError => "Disk error when trying to access log file on the disk.",
            ErrorCode::NonEmptyGroup => "The group is not empty.",
            ErrorCode::GroupIdNotFound => "The group id does not exist.",
            ErrorCode::FencedLeaderEpoch => {
                "The leader epoch in the request is older than the epoch on the broker."
            }
            ErrorCode::UnknownTopicId => "This server does not host this topic ID.",
            ErrorCode::InvalidRecordState => {
                "The record state is invalid. The acknowledgement of delivery could not be completed."
            }
            ErrorCode::FencedStateEpoch => {
                "The share coordinator rejected the request because the share-group state epoch did not match."
            }
            other => other.name(),
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_dense_from_minus_one_to_the_last_of_kafka_4_3() {
        for code in -1..=133 {
            let error = ErrorCode::from_code(code).expect("a code of the dense range");
            assert_eq!(error.code(), code);
        }
        assert_eq!(ErrorCode::from_code(134), None);
    }
}
