//! A seed -> random numbers, the same bits on every machine and in every release.
//!
//! Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), checked against
//! the known answers of their Random123 library. The key is the seed; the counter is the number of the block and, above it,
//! the stream: uniform and normal numbers of one seed have nothing to do with each other, nor has any other kind. A block gives two 64-bit words.
//!
//! Normal numbers by Box and Muller, all in float64: two uniforms u, v in (0, 1] and [0, 1) give
//! sqrt(-2 ln u) cos(2 pi v) and sqrt(-2 ln u) sin(2 pi v). Sum, product and square root are exact to the bit by IEEE 754;
//! logarithm, sine and cosine are those of the `libm` crate, which is plain arithmetic, not the system's.

/// Which numbers of a seed.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Stream {
    Uniform = 0,
    Normal = 1,
    Order = 2,
    Bernoulli = 3,
}

/// One block of Philox4x32-10.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    const ROUNDS: usize = 10;
    for _ in 0..ROUNDS {
        let low = 0xD251_1F53_u64 * u64::from(counter[0]);
        let high = 0xCD9E_8D57_u64 * u64::from(counter[2]);
        counter = [
            (high >> 32) as u32 ^ counter[1] ^ key[0],
            high as u32,
            (low >> 32) as u32 ^ counter[3] ^ key[1],
            low as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

fn block(seed: u64, stream: Stream, number: u64) -> [u64; 2] {
    let counter = [number as u32, (number >> 32) as u32, stream as u32, 0];
    let [a, b, c, d] = philox(counter, [seed as u32, (seed >> 32) as u32]).map(u64::from);
    [a | b << 32, c | d << 32]
}

/// The upper 53 bits as a number in [0, 1).
pub(crate) fn unit64(word: u64) -> f64 {
    (word >> 11) as f64 / (1u64 << 53) as f64
}

/// The upper 24 bits as a number in [0, 1): rounding a float64 to float32 could give 1.
pub(crate) fn unit32(word: u64) -> f32 {
    (word >> 40) as f32 / (1u32 << 24) as f32
}

/// So many uniform numbers, each of one word.
pub(crate) fn uniform<T>(seed: u64, count: usize, convert: fn(u64) -> T) -> Vec<T> {
    let mut values = Vec::with_capacity(count);
    values.extend((0..).flat_map(|number| block(seed, Stream::Uniform, number)).map(convert).take(count));
    values
}

/// So many standard normal numbers.
pub(crate) fn normal<T>(seed: u64, count: usize, convert: fn(f64) -> T) -> Vec<T> {
    let mut values = Vec::with_capacity(count);
    values.extend((0..).flat_map(|number| pair(block(seed, Stream::Normal, number))).map(convert).take(count));
    values
}

/// So many answers, yes with this probability.
pub(crate) fn bernoulli<T>(seed: u64, count: usize, probability: f64, convert: impl Fn(bool) -> T) -> Vec<T> {
    let mut values = Vec::with_capacity(count);
    let words = (0..).flat_map(|number| block(seed, Stream::Bernoulli, number));
    values.extend(words.map(|word| convert(unit64(word) < probability)).take(count));
    values
}

/// The numbers below `count` in random order (Fisher and Yates; the bias of a 64-bit word is below count / 2^64).
pub(crate) fn permutation(seed: u64, count: usize) -> Vec<i64> {
    let mut numbers: Vec<i64> = (0..count as i64).collect();
    let mut words = (0..).flat_map(|number| block(seed, Stream::Order, number));
    for i in (1..count).rev() {
        let word = words.next().unwrap_or_default();
        let other = (u128::from(word) * (i as u128 + 1)) >> 64;
        numbers.swap(i, other as usize);
    }
    numbers
}

fn pair([first, second]: [u64; 2]) -> [f64; 2] {
    // 1 - u is exact and never 0, so the logarithm is finite.
    let radius = (-2.0 * libm::log(1.0 - unit64(first))).sqrt();
    let (sin, cos) = libm::sincos(std::f64::consts::TAU * unit64(second));
    [radius * cos, radius * sin]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Random123's `kat_vectors` for philox4x32 with 10 rounds.
    #[test]
    fn known_answers() {
        let cases = [
            ([0; 4], [0; 2], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]),
            (
                [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
                [0xa4093822, 0x299f31d0],
                [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(philox(counter, key), expected);
        }
    }

    #[test]
    fn ranges() {
        assert_eq!((unit64(0), unit32(0)), (0.0, 0.0));
        assert!(unit64(u64::MAX) < 1.0 && unit32(u64::MAX) < 1.0);
        assert!(pair([u64::MAX, 0])[0].is_finite());
    }

    #[test]
    fn moments() {
        let values = normal(7, 100_000, |value| value);
        let mean = values.iter().sum::<f64>() / 1e5;
        let variance = values.iter().map(|value| value * value).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
