//! A sorted map that costs what it holds: most groups have offsets of one topic, and of few partitions.
//! Core.
//!
//! A node of `BTreeMap` has room for eleven entries, used or not: a kilobyte where the values are offsets.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// Up to so many entries lie in one sorted vector of just their size; beyond, an insertion would move too much.
const FEW_MAX: usize = 16;

#[derive(Debug, Clone)]
pub struct SmallMap<K, V>(Entries<K, V>);

#[derive(Debug, Clone)]
enum Entries<K, V> {
    Few(Vec<(K, V)>),
    Many(BTreeMap<K, V>),
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        SmallMap(Entries::Few(Vec::new()))
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match &self.0 {
            Entries::Few(few) => place(few, key).ok().map(|index| &few[index].1),
            Entries::Many(many) => many.get(key),
        }
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match &mut self.0 {
            Entries::Few(few) => place(few, key).ok().map(|index| &mut few[index].1),
            Entries::Many(many) => many.get_mut(key),
        }
    }

    /// Returns the value that was there before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let few = match &mut self.0 {
            Entries::Many(many) => return many.insert(key, value),
            Entries::Few(few) => few,
        };
        let index = match place(few, &key) {
            Ok(index) => return Some(std::mem::replace(&mut few[index].1, value)),
            Err(index) => index,
        };
        if few.len() < FEW_MAX {
            few.reserve_exact(1);
            few.insert(index, (key, value));
        } else {
            let mut many: BTreeMap<K, V> = std::mem::take(few).into_iter().collect();
            many.insert(key, value);
            self.0 = Entries::Many(many);
        }
        None
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match &mut self.0 {
            Entries::Few(few) => place(few, key).ok().map(|index| few.remove(index).1),
            Entries::Many(many) => many.remove(key),
        }
    }

    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Entries::Few(few) => few.is_empty(),
            Entries::Many(many) => many.is_empty(),
        }
    }

    /// In the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (few, many) = match &self.0 {
            Entries::Few(few) => (Some(few), None),
            Entries::Many(many) => (None, Some(many)),
        };
        let few = few.into_iter().flatten().map(|(key, value)| (key, value));
        few.chain(many.into_iter().flatten())
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }
}

/// Where the key is among sorted entries, or would be.
fn place<K: Borrow<Q>, Q: Ord + ?Sized, V>(entries: &[(K, V)], key: &Q) -> Result<usize, usize> {
    entries.binary_search_by(|(other, _)| other.borrow().cmp(key))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::SmallMap;

    /// Every step is done to a plain map too; keys repeat, and their number crosses the bound both ways.
    #[test]
    fn it_is_a_sorted_map_whatever_its_size() {
        let mut map: SmallMap<u32, u32> = SmallMap::default();
        let mut plain: BTreeMap<u32, u32> = BTreeMap::new();
        let mut state = 1_u32;
        for step in 0..4_000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = (state >> 16) % 40;
            // Grows for a while, then shrinks to nothing.
            if (step / 500) % 2 == 0 {
                assert_eq!(map.insert(key, step), plain.insert(key, step));
            } else {
                assert_eq!(map.remove(&key), plain.remove(&key));
            }
            assert_eq!(map.get(&key), plain.get(&key));
            assert_eq!(map.get_mut(&key), plain.get_mut(&key));
            assert_eq!(map.is_empty(), plain.is_empty());
            assert!(map.iter().eq(plain.iter()) && map.keys().eq(plain.keys()));
        }
    }
}
