//! Which rows are kept out of training to measure it: so many of all, chosen by a seed, row by row as they come.

/// Tells of each row in turn. Same numbers, same choice.
#[derive(Debug, Clone)]
pub struct Split {
    /// Rows that were not asked about yet.
    rows: u64,
    /// How many of them are kept out.
    kept: u64,
    state: u64,
}

impl Split {
    pub fn new(rows: u64, kept: u64, seed: u64) -> Self {
        Self {
            rows,
            kept: kept.min(rows),
            state: seed,
        }
    }

    /// Whether no row is kept out from here on.
    pub fn is_empty(&self) -> bool {
        self.kept == 0
    }

    /// Whether the next row is kept out. Of those left, each is with the same chance.
    pub fn keeps_next(&mut self) -> bool {
        if self.kept == 0 || self.rows == 0 {
            return false;
        }
        let chosen = (u128::from(self.random()) * u128::from(self.rows)) >> 64;
        let keeps = chosen < u128::from(self.kept);
        self.rows -= 1;
        self.kept -= u64::from(keeps);
        keeps
    }

    /// SplitMix64: splits are stored as their seed, so this must never change.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.state)
    }
}

/// The finaliser of SplitMix64.
pub(crate) fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(rows: u64, kept: u64, seed: u64) -> Vec<u64> {
        let mut split = Split::new(rows, kept, seed);
        (0..rows).filter(|_| split.keeps_next()).collect()
    }

    #[test]
    fn as_many_rows_are_kept_as_were_asked_for() {
        for (rows, kept) in [
            (0, 0),
            (1, 0),
            (1, 1),
            (2, 1),
            (10, 3),
            (1000, 100),
            (1000, 999),
            (7, 7),
        ] {
            for seed in 0..20 {
                assert_eq!(chosen(rows, kept, seed).len() as u64, kept, "{rows} {kept} {seed}");
            }
        }
        assert_eq!(chosen(3, 9, 1).len(), 3);
        let mut over = Split::new(1, 1, 0);
        assert!(over.keeps_next() && !over.keeps_next());
    }

    #[test]
    fn a_seed_always_chooses_the_same_and_another_one_others() {
        assert_eq!(chosen(20, 5, 42), chosen(20, 5, 42));
        assert_eq!(chosen(20, 5, 42), [1, 4, 10, 15, 16]);
        let different = (0..100)
            .map(|seed| chosen(1000, 100, seed))
            .collect::<std::collections::HashSet<_>>();
        assert_eq!(different.len(), 100);
    }

    #[test]
    fn every_row_has_the_same_chance() {
        let mut counts = [0_u32; 50];
        for seed in 0..4000 {
            for row in chosen(50, 10, seed) {
                counts[row as usize] += 1;
            }
        }
        // 800 each, by chance within 5 standard deviations of 25.3.
        assert!(counts.iter().all(|count| (670..=930).contains(count)), "{counts:?}");
    }
}
