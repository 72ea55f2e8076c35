//! Ranges of records with their delivery state: how older and newer ones become one list.
//! Core. After Kafka's `PersisterStateBatchCombiner`: where ranges overlap, each record keeps the
//! greater delivery count, and of equal counts the greater state; neighbours that agree are one range.

use std::collections::BTreeMap;

/// Delivery count and state, the lesser first.
type Delivery = (i16, i8);

/// The records from `first_offset` to `last_offset`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateBatch {
    pub first_offset: i64,
    pub last_offset: i64,
    /// 0 available, 2 acknowledged, 4 archived (Kafka's `RecordState`).
    pub delivery_state: i8,
    pub delivery_count: i16,
}

impl StateBatch {
    fn delivery(&self) -> Delivery {
        (self.delivery_count, self.delivery_state)
    }
}

/// One list out of two, without what lies before `start_offset` (-1 keeps all).
pub fn combine(so_far: &[StateBatch], new: &[StateBatch], start_offset: i64) -> Vec<StateBatch> {
    let mut batches: Vec<StateBatch> = so_far.iter().chain(new).copied().collect();
    if start_offset != -1 {
        batches.retain(|batch| batch.last_offset >= start_offset);
        for batch in &mut batches {
            batch.first_offset = batch.first_offset.max(start_offset);
        }
    }
    if batches.len() < 2 {
        return batches;
    }
    // How many ranges of each delivery begin or end at an offset.
    let mut edges: BTreeMap<i64, Vec<(Delivery, bool)>> = BTreeMap::new();
    for batch in &batches {
        edges.entry(batch.first_offset).or_default().push((batch.delivery(), true));
        edges.entry(batch.last_offset + 1).or_default().push((batch.delivery(), false));
    }
    let mut open: BTreeMap<(i16, i8), usize> = BTreeMap::new();
    let mut combined: Vec<StateBatch> = Vec::with_capacity(batches.len());
    let mut from = i64::MIN;
    for (at, changes) in edges {
        if let Some(((delivery_count, delivery_state), _)) = open.last_key_value() {
            let batch = StateBatch {
                first_offset: from,
                last_offset: at - 1,
                delivery_state: *delivery_state,
                delivery_count: *delivery_count,
            };
            match combined.last_mut() {
                Some(last) if last.last_offset + 1 == from && last.delivery() == batch.delivery() => {
                    last.last_offset = batch.last_offset;
                }
                _ => combined.push(batch),
            }
        }
        for (delivery, opens) in changes {
            let count = open.entry(delivery).or_default();
            if opens { *count += 1 } else { *count -= 1 }
        }
        open.retain(|_, count| *count > 0);
        from = at;
    }
    combined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first_offset: i64, last_offset: i64, delivery_state: i8, delivery_count: i16) -> StateBatch {
        StateBatch { first_offset, last_offset, delivery_state, delivery_count }
    }

    #[test]
    fn the_later_delivery_wins_and_neighbours_that_agree_are_one() {
        let combined = combine(&[batch(100, 109, 0, 1)], &[batch(103, 105, 2, 1)], -1);
        assert_eq!(combined, [batch(100, 102, 0, 1), batch(103, 105, 2, 1), batch(106, 109, 0, 1)]);
        // A smaller delivery count says nothing new.
        assert_eq!(combine(&[batch(100, 109, 0, 3)], &[batch(103, 105, 4, 2)], -1), [batch(100, 109, 0, 3)]);
        assert_eq!(combine(&[batch(100, 109, 2, 1)], &[batch(110, 119, 2, 1)], -1), [batch(100, 119, 2, 1)]);
        assert_eq!(
            combine(&[batch(100, 109, 2, 1)], &[batch(111, 119, 2, 1)], -1),
            [batch(100, 109, 2, 1), batch(111, 119, 2, 1)]
        );
    }

    #[test]
    fn what_lies_before_the_start_is_gone() {
        let combined = combine(&[batch(100, 109, 2, 1), batch(110, 119, 0, 1)], &[], 105);
        assert_eq!(combined, [batch(105, 109, 2, 1), batch(110, 119, 0, 1)]);
        assert_eq!(combine(&[batch(100, 109, 2, 1)], &[batch(110, 119, 0, 2)], 110), [batch(110, 119, 0, 2)]);
        assert_eq!(combine(&[], &[], 5), []);
    }
}
