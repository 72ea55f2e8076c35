//! What a broker says of its disk and of its replicas.
//! Core.

use ottla_protocol::messages::DescribeLogDirsResponse;

use crate::{Disk, Loads};

/// Takes the sizes of a broker's replicas in, and gives its directories together: `None` where nothing is known of them. The
/// largest of a partition's replicas counts; that is its leader's.
pub fn take_in(answer: &DescribeLogDirsResponse, loads: &mut Loads) -> Option<Disk> {
    let mut disk = Disk { total_bytes: 0, usable_bytes: 0 };
    for dir in answer.results.iter().filter(|dir| dir.error_code == 0) {
        disk.total_bytes += u64::try_from(dir.total_bytes).unwrap_or(0);
        disk.usable_bytes += u64::try_from(dir.usable_bytes).unwrap_or(0);
        for topic in &dir.topics {
            for partition in topic.partitions.iter().filter(|partition| !partition.is_future_key) {
                let key = (topic.name.as_str().into(), partition.partition_index);
                let bytes = u64::try_from(partition.partition_size).unwrap_or(0);
                let known = loads.entry(key).or_default();
                known.bytes = known.bytes.max(bytes);
            }
        }
    }
    (disk.total_bytes > 0).then_some(disk)
}
