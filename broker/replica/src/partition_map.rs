//! The partitions of a topic that this broker hosts, by their index: any subset of the topic's.
//! Core.

use std::sync::Arc;

use ottla_model::PartitionIndex;

use crate::partition::Partition;

/// Sorted by index, and no larger than what it holds: most topics have few partitions, and there are many
/// topics.
#[derive(Clone, Default)]
pub struct PartitionMap(Box<[Arc<Partition>]>);

impl PartitionMap {
    pub fn get(&self, index: i32) -> Option<&Arc<Partition>> {
        // Where all partitions of the topic are hosted the index is the place.
        let place = usize::try_from(index).ok()?;
        match self.0.get(place) {
            Some(partition) if partition.index().0 == index => Some(partition),
            _ => self.place_of(PartitionIndex(index)).map(|place| &self.0[place]),
        }
    }

    fn place_of(&self, index: PartitionIndex) -> Option<usize> {
        self.0.binary_search_by_key(&index, |partition| partition.index()).ok()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Arc<Partition>> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Arc<Partition>> for PartitionMap {
    fn from_iter<I: IntoIterator<Item = Arc<Partition>>>(partitions: I) -> PartitionMap {
        let mut partitions: Vec<Arc<Partition>> = partitions.into_iter().collect();
        partitions.sort_unstable_by_key(|partition| partition.index());
        let is_unique = partitions.windows(2).all(|pair| pair[0].index() < pair[1].index());
        assert!(is_unique, "a partition is hosted once");
        PartitionMap(partitions.into_boxed_slice())
    }
}

impl<'a> IntoIterator for &'a PartitionMap {
    type Item = &'a Arc<Partition>;
    type IntoIter = std::slice::Iter<'a, Arc<Partition>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
