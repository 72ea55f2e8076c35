//! Which error codes a response carries, for the request counters.
//! Core. As `AbstractResponse.errorCounts` in Kafka; `generated::error_codes` has the places.

/// Calls back for every error code of a response.
pub trait ErrorCodes {
    /// Every code that the response has in this version, success (0) included.
    fn error_codes(&self, version: i16, each: &mut impl FnMut(i16));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{
        ElectLeadersResponse, FindCoordinatorResponse, ShareFetchResponse, elect_leaders_response,
        find_coordinator_response,
    };

    fn codes(response: &impl ErrorCodes, version: i16) -> Vec<i16> {
        let mut codes = Vec::new();
        response.error_codes(version, &mut |code| codes.push(code));
        codes
    }

    #[test]
    fn a_code_is_counted_in_the_versions_that_have_it() {
        let single = FindCoordinatorResponse::default().with_error_code(7);
        assert_eq!(codes(&single, 3), [7]);
        let coordinator = find_coordinator_response::Coordinator::default().with_error_code(15);
        assert_eq!(codes(&single.with_coordinators(vec![coordinator]), 4), [15]);
    }

    #[test]
    fn codes_are_found_at_every_depth() {
        let partition = |code| elect_leaders_response::PartitionResult::default().with_error_code(code);
        let topic = elect_leaders_response::ReplicaElectionResult::default()
            .with_partition_result(vec![partition(84), partition(0)]);
        let response = ElectLeadersResponse::default().with_replica_election_results(vec![topic]);
        assert_eq!(codes(&response, 2), [0, 84, 0]);
    }

    #[test]
    fn a_response_without_partitions_has_its_own_code() {
        assert_eq!(codes(&ShareFetchResponse { error_code: 42, ..ShareFetchResponse::default() }, 1), [42]);
    }
}
