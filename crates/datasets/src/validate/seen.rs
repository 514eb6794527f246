//! The keys of rows seen so far, in 9 to 14 bytes each.

/// Grown one after the other, so that hardly any memory is held twice.
const SHARDS: usize = 256;

pub(super) struct Seen {
    shards: Vec<Shard>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
        }
    }
}

impl Seen {
    /// Whether the key is new. Keys are hashes: evenly spread.
    pub(super) fn insert(&mut self, key: u64) -> bool {
        // 0 marks what is free.
        let key = key.max(1);
        self.shards[(key >> 56) as usize].insert(key)
    }
}

/// Keys at the first free place from their own on.
#[derive(Default)]
struct Shard {
    places: Vec<u64>,
    taken: usize,
}

impl Shard {
    fn insert(&mut self, key: u64) -> bool {
        if self.taken * 8 >= self.places.len() * 7 {
            self.grow();
        }
        let new = self.put(key);
        self.taken += usize::from(new);
        new
    }

    fn put(&mut self, key: u64) -> bool {
        let length = self.places.len();
        let mut at = (((key & u64::from(u32::MAX)) * length as u64) >> 32) as usize;
        loop {
            match self.places[at] {
                0 => {
                    self.places[at] = key;
                    return true;
                }
                found if found == key => return false,
                _ => at = if at + 1 == length { 0 } else { at + 1 },
            }
        }
    }

    fn grow(&mut self) {
        let length = self.places.len();
        let places = std::mem::replace(&mut self.places, vec![0; length + length / 2 + 32]);
        for key in places.into_iter().filter(|key| *key != 0) {
            self.put(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_are_new_once_and_take_little() {
        let mut seen = Seen::default();
        let mut expected = HashSet::new();
        let mut state = 7u64;
        for round in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Some come again, some have nothing in their upper or lower half.
            let key = match round % 4 {
                0 => state >> 40,
                1 => state << 40,
                _ => state ^ (state >> 29),
            };
            assert_eq!(seen.insert(key), expected.insert(key.max(1)), "{key}");
        }
        let places: usize = seen.shards.iter().map(|shard| shard.places.len()).sum();
        assert!(
            places * 8 < expected.len() * 14 + SHARDS * 256,
            "{places} for {}",
            expected.len()
        );
    }
}
