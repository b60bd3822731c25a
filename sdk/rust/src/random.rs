//! Random numbers that the same seed gives again on any machine. Guests have no other source of randomness.

/// SplitMix64 (Steele, Lea and Flood, 2014): one word of state, passes BigCrush; for sampling, not for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Usually `Rng::from_seed(stepwell::seed())`.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for a named purpose, so that drawing more for one purpose changes no other.
    pub fn fork(&self, purpose: &str) -> Self {
        // FNV-1a over the name, mixed with the state by one step of the generator.
        let hash = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Self(Self(self.0 ^ hash).next_u64())
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Uniform in [0, 1), 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in 0..bound, without bias (Lemire, 2019); 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            let low = product as u64;
            if bound == 0 || low >= bound.wrapping_neg() % bound {
                return (product >> 64) as usize;
            }
        }
    }

    /// Puts the items into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence() {
        // The reference implementation's first outputs for seed 1234567 (prng.di.unimi.it/splitmix64.c).
        let mut rng = Rng::from_seed(1_234_567);
        let first = [rng.next_u64(), rng.next_u64(), rng.next_u64()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn below_reaches_everything_and_nothing_else() {
        let mut rng = Rng::from_seed(7);
        let mut counts = [0_u32; 6];
        (0..6_000).for_each(|_| counts[rng.below(6)] += 1);
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn a_fork_is_independent_of_what_was_drawn_elsewhere() {
        let rng = Rng::from_seed(1);
        let (mut a, mut b) = (rng.fork("a"), rng.fork("b"));
        assert_ne!(a.next_u64(), b.next_u64());
        assert_eq!(rng.fork("a").next_u64(), rng.fork("a").next_u64());
    }
}
