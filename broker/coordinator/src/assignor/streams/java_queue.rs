//! A heap that gives equals in the order in which Java's `PriorityQueue` gives them.
//! Core. After `siftUp` and `siftDown` of `java.util.PriorityQueue`.

#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The least comes first.
    pub load: f64,
    pub item: usize,
}

#[derive(Default, Debug)]
pub struct JavaQueue {
    heap: Vec<Entry>,
}

impl JavaQueue {
    pub fn add(&mut self, entry: Entry) {
        let mut place = self.heap.len();
        self.heap.push(entry);
        while place > 0 {
            let parent = (place - 1) / 2;
            if entry.load >= self.heap[parent].load {
                break;
            }
            self.heap.swap(place, parent);
            place = parent;
        }
    }

    pub fn poll(&mut self) -> Option<Entry> {
        let last = self.heap.pop()?;
        let Some(first) = self.heap.first_mut() else { return Some(last) };
        let least = std::mem::replace(first, last);
        let mut place = 0;
        while place < self.heap.len() / 2 {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let is_right = self.heap.get(right).is_some_and(|right| right.load < self.heap[left].load);
            let child = if is_right { right } else { left };
            if last.load <= self.heap[child].load {
                break;
            }
            self.heap.swap(place, child);
            place = child;
        }
        Some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_come_in_the_order_of_java_s_heap() {
        let mut queue = JavaQueue::default();
        for (item, load) in [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0].into_iter().enumerate() {
            queue.add(Entry { load, item });
        }
        let order: Vec<usize> = std::iter::from_fn(|| queue.poll()).map(|entry| entry.item).collect();
        // As `new PriorityQueue<>(Comparator.comparingDouble(e -> e.load))` of Java 17 gives them.
        assert_eq!(order, [1, 6, 5, 3, 2, 0, 4]);
    }
}
