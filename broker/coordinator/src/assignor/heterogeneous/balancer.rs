//! Which subscriber of a topic gets a partition next, and which gives one.
//! Core. After `MemberAssignmentBalancer` of Kafka's `UniformHeterogeneousAssignmentBuilder`.
//!
//! ```text
//!                           most loaded
//!             least loaded       |   #  these have nothing to give
//!             |            [     #  ]#
//!             |          ##[#######]##
//! partitions  [ .. ->  ]##[#######]##
//!             [########]##[#######]##
//!             +---------------------->  subscribers, by partitions
//! ```
//!
//! All members of a range have equally many. The range of the least loaded gets one partition each, then its level
//! rises and it grows to the right; that of the most loaded gives one each, falls and grows to the left.

#[derive(Default)]
pub struct Balancer {
    /// The subscribers by number of partitions, then by their place among the members.
    sorted: Vec<usize>,
    least_end: usize,
    least_level: isize,
    next_least: usize,
    most_start: usize,
    /// Members behind it have nothing to give.
    most_end: usize,
    most_level: isize,
    /// One past the place of the next one.
    next_most: usize,
}

impl Balancer {
    /// For the subscribers (at least one) of a topic, with the numbers of partitions of all members.
    pub fn start(&mut self, subscribers: &[usize], sizes: &[usize]) {
        self.sorted.clear();
        self.sorted.extend_from_slice(subscribers);
        self.sorted.sort_unstable_by_key(|member| (sizes[*member], *member));
        let (Some(first), Some(last)) = (self.sorted.first(), self.sorted.last()) else {
            unreachable!("a topic is here because it is read");
        };
        self.least_level = sizes[*first] as isize - 1;
        self.least_end = 0;
        self.next_least = 0;
        self.most_level = sizes[*last] as isize + 1;
        self.most_start = self.sorted.len();
        self.most_end = self.sorted.len();
        self.next_most = self.sorted.len();
    }

    /// The member that gets a partition; it counts as given.
    pub fn next_least_loaded(&mut self, sizes: &[usize]) -> usize {
        if self.next_least >= self.least_end {
            self.least_level += 1;
            while self.least_end < self.sorted.len()
                && self.size_at(self.least_end, sizes) == self.least_level
            {
                self.least_end += 1;
            }
            self.next_least = 0;
        }
        self.next_least += 1;
        self.sorted[self.next_least - 1]
    }

    /// The member that gives a partition, which counts as taken; `None` if there is none any more.
    pub fn next_most_loaded(&mut self, sizes: &[usize]) -> Option<usize> {
        if self.next_most <= self.most_start {
            if self.most_end <= self.most_start && self.most_start > 0 {
                // All of the range had nothing to give: it begins anew with the next ones.
                self.most_level = self.size_at(self.most_start - 1, sizes);
            } else {
                self.most_level -= 1;
            }
            while self.most_start > 0 && self.size_at(self.most_start - 1, sizes) == self.most_level {
                self.most_start -= 1;
            }
            self.next_most = self.most_end;
        }
        self.next_most = self.next_most.checked_sub(1)?;
        Some(self.sorted[self.next_most])
    }

    /// The member that came last out of `next_most_loaded` has nothing to give.
    pub fn exclude_most_loaded(&mut self) {
        self.most_end -= 1;
        self.sorted.swap(self.next_most, self.most_end);
    }

    pub fn is_balanced(&self) -> bool {
        self.most_level - self.least_level <= 1
    }

    fn size_at(&self, place: usize, sizes: &[usize]) -> isize {
        sizes[self.sorted[place]] as isize
    }
}
