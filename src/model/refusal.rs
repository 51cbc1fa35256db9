//! A refusal: what was asked for cannot be done, why, and the next command to type.

use std::fmt;

/// Bad input or a wrong situation, found before anything was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    what: String,
    why: Option<Cause>,
    hint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

impl Refusal {
    /// What cannot be done, and the next thing to do.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), why: None, hint: hint.into() }
    }

    /// The same with the reason underneath.
    #[must_use]
    pub fn because(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(Cause(why.to_string()));
        self
    }

    /// The next command to type.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.why.as_ref().map(|why| why as _)
    }
}

/// What was probably meant: the known words near a mistyped one, best first, at most three.
pub fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|k| (strsim::jaro_winkler(word, k), k))
        .filter(|(score, _)| *score > 0.7)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, word)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn near_words_come_best_first_and_far_ones_not_at_all() {
        assert_eq!(near("nbg", ["fsn1", "nbg1", "hel1"]), ["nbg1"]);
        assert_eq!(near("cx3", ["cax11", "cx23", "cx33"]), ["cx33", "cx23"]);
        assert_eq!(near("zzz", ["cx33", "cx23"]), Vec::<&str>::new());
    }
}
