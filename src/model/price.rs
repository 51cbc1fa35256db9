//! Money, as the API writes it: text with decimals.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

/// An amount in ten-thousandths of the account's currency, without tax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(i64);

impl Price {
    /// Reads `5.4900000000`; digits beyond the fourth decimal are cut.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let decimals: String = decimals.chars().chain("0000".chars()).take(4).collect();
        let whole: i64 = whole.parse().ok()?;
        let part: i64 = decimals.parse().ok()?;
        whole.checked_mul(10_000)?.checked_add(part).map(Self)
    }

    /// So many of it, such as GB; none for a number that is no amount.
    pub fn times(self, amount: f64) -> Option<Self> {
        // an amount of tenths is exact enough for what is shown in cents
        let tenths = format!("{:.0}", amount * 10.0).parse::<i64>().ok().filter(|tenths| *tenths >= 0)?;
        self.0.checked_mul(tenths).map(|sum| Self(sum / 10))
    }
}

impl Add for Price {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sum for Price {
    fn sum<I: Iterator<Item = Self>>(prices: I) -> Self {
        prices.fold(Self::default(), Self::add)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = (self.0 + 50) / 100;
        write!(f, "{}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::Price;

    #[test]
    fn sums_are_exact_and_shown_in_cents() {
        let sum: Price = ["5.4900000000", "0.5000", "8"].into_iter().filter_map(Price::parse).sum();
        assert_eq!(sum.to_string(), "13.99");
        assert_eq!(Price::parse("0.0096").unwrap().to_string(), "0.01");
        assert_eq!(Price::parse("cheap"), None);
        let gigabyte = Price::parse("0.0143").unwrap();
        assert_eq!(gigabyte.times(10.25).unwrap().to_string(), "0.15");
        assert_eq!(gigabyte.times(f64::NAN), None);
    }
}
