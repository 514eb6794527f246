//! What training costs on which device.

use super::{ConfigError, list};

/// Parts of devices' names in small letters, `*` for any, and what an hour costs there in millionths of a US dollar.
#[derive(Debug, Clone, Default)]
pub struct TrainingPrices(pub Vec<(String, u64)>);

impl TrainingPrices {
    /// Of an hour on a device: the longest name that is part of its own counts.
    pub fn of(&self, device: &str) -> Option<u64> {
        let device = device.to_lowercase();
        let fitting = self
            .0
            .iter()
            .filter(|(name, _)| name == ANY || device.contains(name.as_str()));
        let price = fitting.max_by_key(|(name, _)| if name == ANY { 0 } else { name.len() })?;
        Some(price.1)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

const ANY: &str = "*";
const MOST_DOLLARS: f64 = 1e6;

pub fn read(get: &impl Fn(&str) -> Option<String>) -> Result<TrainingPrices, ConfigError> {
    let expected = "devices with US dollars an hour, such as *=0.12,H100=2.49";
    list(get, "TRAINING_PRICES", expected, price).map(TrainingPrices)
}

fn price(text: &str) -> Option<(String, u64)> {
    let (name, dollars) = text.rsplit_once('=')?;
    let dollars: f64 = dollars.trim().parse().ok()?;
    let name = name.trim().to_lowercase();
    let fits = !name.is_empty() && (0.0..=MOST_DOLLARS).contains(&dollars);
    // Rounded to a whole number well within its range.
    fits.then(|| (name, (dollars * 1e6).round() as u64))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]

    use super::*;

    fn prices(text: &'static str) -> Result<TrainingPrices, ConfigError> {
        read(&|name| (name == "TRAINING_PRICES").then(|| text.to_owned()))
    }

    #[test]
    fn the_longest_name_that_fits_counts() {
        let prices = prices("*=0.12, CPU = 0.4,H100=2.49, NVIDIA H100 80GB=2.95").unwrap();
        assert_eq!(prices.of("CPU: AMD EPYC 9354 (AVX-512)"), Some(400_000));
        assert_eq!(prices.of("NVIDIA H100 NVL"), Some(2_490_000));
        assert_eq!(prices.of("NVIDIA H100 80GB HBM3"), Some(2_950_000));
        assert_eq!(prices.of("Apple M3"), Some(120_000));
        assert_eq!(prices.of(""), Some(120_000));
    }

    #[test]
    fn what_fits_nothing_has_no_price() {
        assert_eq!(prices("H100=2").unwrap().of("CPU"), None);
        assert!(prices("").unwrap().is_empty());
        for bad in ["2.49", "=2", "*=", "*=-1", "*=a lot", "*=NaN", "*=1e9"] {
            assert!(prices(bad).is_err(), "{bad}");
        }
    }
}
