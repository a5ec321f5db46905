//! Medians and percentiles.

/// The middle value, or the mean of the two in the middle; 0 for none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// The percentile of times in nanoseconds, in milliseconds; 0 for none.
pub(crate) fn percentile_ms(nanos: &[u64], percent: usize) -> f64 {
    let mut sorted = nanos.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0.0, |nanos| *nanos as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_found_in_any_order() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).abs() < 1e-9);
    }

    #[test]
    fn percentiles_are_by_rank() {
        let nanos: Vec<u64> = (1..=200).rev().map(|n| n * 1_000_000).collect();
        assert!((percentile_ms(&nanos, 50) - 100.0).abs() < 1e-9);
        assert!((percentile_ms(&nanos, 99) - 198.0).abs() < 1e-9);
        assert!((percentile_ms(&[5_000_000], 99) - 5.0).abs() < 1e-9);
        assert!(percentile_ms(&[], 50).abs() < 1e-9);
    }
}
