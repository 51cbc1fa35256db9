//! `torture --kills N --seed S`

use anyhow::{Context as _, Result, bail};

/// What was asked for.
pub(crate) struct Options {
    pub(crate) kills: usize,
    pub(crate) seed: u64,
}

impl Options {
    pub(crate) fn of(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self { kills: 200, seed: 1 };
        while let Some(word) = words.next() {
            let value = words.next().with_context(|| format!("{word} needs a number"))?;
            let number = || value.parse::<u64>().with_context(|| format!("{word}: {value} is no number"));
            match word.as_str() {
                "--kills" => options.kills = usize::try_from(number()?)?,
                "--seed" => options.seed = number()?,
                other => bail!("unknown word {other}; use --kills N --seed S"),
            }
        }
        Ok(options)
    }
}
