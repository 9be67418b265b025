//! Whether shares differ by more than chance allows.

/// How much shares differ: the chi-squared statistic, and its degrees of freedom.
pub struct Spread {
    pub squared: f64,
    pub freedom: f64,
}

impl Spread {
    /// Of these samples (so many of so many each) about this share of all.
    pub fn of(samples: impl Iterator<Item = (f64, f64)>, share: f64) -> Self {
        let variance = (share * (1.0 - share)).max(1e-9);
        let (mut squared, mut freedom) = (0.0, -1.0);
        for (some, all) in samples {
            squared += (some - all * share).powi(2) / (all * variance);
            freedom += 1.0;
        }
        Self { squared, freedom }
    }

    /// Whether chance alone does that: the statistic is not so many deviations above its mean.
    pub fn is_chance(&self) -> bool {
        self.freedom < 1.0 || self.squared <= self.freedom + SURPRISE * (2.0 * self.freedom).sqrt()
    }
}

const SURPRISE: f64 = 2.5;
