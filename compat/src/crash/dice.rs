//! Random choices that a seed repeats (SplitMix64).
//! Core: values only.

#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `from` up to, but without, `to`.
    pub fn between(&mut self, from: usize, to: usize) -> usize {
        from + usize::try_from(self.next() % u64::try_from(to.saturating_sub(from).max(1)).unwrap_or(1))
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_the_range_holds() {
        let (mut first, mut second) = (Dice::new(7), Dice::new(7));
        for _ in 0..1_000 {
            let number = first.between(3, 9);
            assert_eq!(number, second.between(3, 9));
            assert!((3..9).contains(&number));
        }
    }
}
