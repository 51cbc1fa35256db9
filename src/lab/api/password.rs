//! Passwords. Shown as the API shows them; the lab's machines know none.

use rand::RngExt;

/// A new one.
pub(crate) fn random() -> String {
    rand::rng().sample_iter(rand::distr::Alphanumeric).take(20).map(char::from).collect()
}
