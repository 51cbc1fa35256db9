//! Which of the requests that could meet a fault do meet it.

use super::fields::{Fields, WrongFault, wrong};

/// First some pass, then each is met with a probability, at most so many; and how it went so far.
#[derive(Debug, Clone)]
pub(super) struct Chance {
    /// How many pass before.
    after: u64,
    /// How often at most.
    count: u64,
    probability: f64,
    /// Of the pseudo-random numbers.
    state: u64,
    /// How often so far.
    met: u64,
}

impl Chance {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, WrongFault> {
        let after = fields.take("after")?.unwrap_or(0);
        let count = fields.take("count")?.unwrap_or(u64::MAX);
        let probability = fields.take("probability")?.unwrap_or(1.0);
        let state = fields.take("seed")?.unwrap_or(0);
        if !(0.0..=1.0).contains(&probability) {
            return Err(wrong("probability", &"it is a number from 0 to 1"));
        }
        Ok(Self { after, count, probability, state, met: 0 })
    }

    /// Decides about one more request.
    pub(super) fn strikes(&mut self) -> bool {
        if self.is_spent() {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        let strikes = self.roll() < self.probability;
        self.met += u64::from(strikes);
        strikes
    }

    /// Whether it was met as often as it may be.
    pub(super) fn is_spent(&self) -> bool {
        self.met >= self.count
    }

    /// How often it was met.
    pub(super) fn met(&self) -> u64 {
        self.met
    }

    /// From 0 to below 1. SplitMix64 by Steele, Lea and Flood: the same sequence for a seed with every version of
    /// every library.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what the mantissa holds")]
    fn roll(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sequence(chance: Value, length: usize) -> String {
        let mut fields = Fields::new(chance.as_object().unwrap().clone());
        let mut chance = Chance::read(&mut fields).unwrap();
        (0..length).map(|_| if chance.strikes() { 'x' } else { '.' }).collect()
    }

    #[test]
    fn some_pass_and_then_it_is_met_so_often() {
        assert_eq!(sequence(json!({}), 4), "xxxx");
        assert_eq!(sequence(json!({"after": 2}), 4), "..xx");
        assert_eq!(sequence(json!({"count": 2}), 4), "xx..");
        assert_eq!(sequence(json!({"after": 1, "count": 2}), 5), ".xx..");
        assert_eq!(sequence(json!({"count": 0}), 2), "..");
    }

    #[test]
    fn a_seed_is_a_sequence() {
        assert_eq!(sequence(json!({"probability": 0}), 8), "........");
        assert_eq!(sequence(json!({"probability": 1.0, "seed": 7}), 8), "xxxxxxxx");
        // the reference values of SplitMix64 for seed 1234567 are 6457827717110365317, 3203168211198807973, …
        let mut chance = Chance::read(&mut Fields::new(
            json!({"seed": 1_234_567, "probability": 0.5}).as_object().unwrap().clone(),
        ))
        .unwrap();
        let reference = [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        for expected in reference {
            assert_eq!((chance.roll() * (1_u64 << 53) as f64) as u64, expected >> 11);
        }
        assert_eq!(sequence(json!({"probability": 0.3, "seed": 1}), 20), "........x......x....");
        assert_eq!(sequence(json!({"probability": 0.3, "seed": 42}), 20), ".xx.x.x...x....xx.x.");
        assert_eq!(
            sequence(json!({"probability": 0.5, "seed": 1, "after": 1, "count": 2}), 10),
            "....xx...."
        );
    }

    #[test]
    fn a_probability_is_between_nothing_and_certainty() {
        for probability in [json!(1.5), json!(-0.1), json!("often")] {
            let mut fields = Fields::new(json!({"probability": probability}).as_object().unwrap().clone());
            assert!(Chance::read(&mut fields).is_err(), "{probability}");
        }
    }
}
