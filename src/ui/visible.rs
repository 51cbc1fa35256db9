//! What others wrote must not move the cursor of whoever reads it.

use std::borrow::Cow;

/// A text whose control characters and reversals of direction are shown instead of sent to a terminal; lines and tabs stay. It is
/// JSON's own way to write them, so JSON stays what it is.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if acts(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Whether a terminal does something about it. The second line: a text that is read in another order than it is written
/// (Unicode's embeddings, overrides and isolates).
fn acts(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_acts_on_a_terminal_is_shown() {
        assert_eq!(visible("a\tb\nc, äöü"), "a\tb\nc, äöü");
        assert_eq!(visible("\u{1b}[2J\u{9b}A\rroot\u{202e}gpj"), "\\u001b[2J\\u009bA\\u000droot\\u202egpj");
        let json = serde_json::json!("\u{9b}2J").to_string();
        assert_eq!(serde_json::from_str::<String>(&visible(&json)).unwrap(), "\u{9b}2J");
    }
}
