//! The words of a zone file, RFC 1035 section 5.1: entries are lines, longer ones stand in parentheses, text in quotes,
//! comments behind a semicolon.

use std::iter::Peekable;
use std::str::Chars;

/// What one record or directive is made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    /// Whether it begins with a space, and so has the owner of the record before it.
    pub(crate) indented: bool,
    /// As they are written, with quotes and backslashes.
    pub(crate) words: Vec<String>,
    /// What stands behind semicolons in it.
    pub(crate) comment: String,
}

/// Why a text is no zone file, and on which line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) line: usize,
    pub(crate) why: String,
}

/// The entries of a text; lines without words are none.
pub(crate) fn entries(text: &str) -> Result<Vec<Entry>, Flaw> {
    let mut reader = Reader { text: text.chars().peekable(), line: 1 };
    let mut entries = Vec::new();
    while reader.text.peek().is_some() {
        let entry = reader.entry()?;
        if !entry.words.is_empty() {
            entries.push(entry);
        }
    }
    Ok(entries)
}

struct Reader<'a> {
    text: Peekable<Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    fn flaw(&self, why: &str) -> Flaw {
        Flaw { line: self.line, why: why.to_owned() }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.text.next();
        self.line += usize::from(c == Some('\n'));
        c
    }

    /// Everything up to the end of the line, or of a later one that closes its parentheses.
    fn entry(&mut self) -> Result<Entry, Flaw> {
        let indented = matches!(self.text.peek(), Some(' ' | '\t'));
        let mut entry = Entry { line: self.line, indented, ..Entry::default() };
        let mut depth = 0_usize;
        while let Some(&c) = self.text.peek() {
            match c {
                '\n' if depth == 0 => {
                    self.next();
                    break;
                }
                ' ' | '\t' | '\r' | '\n' => drop(self.next()),
                ';' => self.comment(&mut entry.comment),
                '(' => {
                    self.next();
                    depth += 1;
                }
                ')' => {
                    self.next();
                    depth = depth.checked_sub(1).ok_or_else(|| self.flaw("a parenthesis was not opened"))?;
                }
                _ => entry.words.push(self.word()?),
            }
        }
        if depth > 0 {
            return Err(Flaw { line: entry.line, why: "a parenthesis is not closed".to_owned() });
        }
        Ok(entry)
    }

    fn comment(&mut self, comment: &mut String) {
        let mut text = String::new();
        while let Some(c) = self.text.next_if(|c| *c != '\n') {
            text.push(if c.is_control() { ' ' } else { c });
        }
        let text = text.trim_start_matches(';').trim();
        if !comment.is_empty() && !text.is_empty() {
            comment.push(' ');
        }
        comment.push_str(text);
    }

    /// A word ends with its quote if it begins with one; another one may have a quoted part (`alpn="h2,h3"`).
    fn word(&mut self) -> Result<String, Flaw> {
        let mut word = String::new();
        while let Some(c) = self.text.next_if(|c| !" \t\r\n;()".contains(*c)) {
            word.push(c);
            match c {
                '\\' => word.push(self.escaped()?),
                '"' => {
                    let begins = word.len() == 1;
                    self.quoted(&mut word)?;
                    if begins {
                        break;
                    }
                }
                c if c.is_control() => return Err(self.flaw("there is a control character")),
                _ => {}
            }
        }
        Ok(word)
    }

    fn quoted(&mut self, word: &mut String) -> Result<(), Flaw> {
        loop {
            match self.text.next_if(|c| !c.is_control()) {
                Some('"') => {
                    word.push('"');
                    return Ok(());
                }
                Some('\\') => {
                    word.push('\\');
                    word.push(self.escaped()?);
                }
                Some(c) => word.push(c),
                None => return Err(self.flaw("a quote is not closed")),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Flaw> {
        let c = self.text.next_if(|c| !c.is_control());
        c.ok_or_else(|| self.flaw("nothing follows a backslash"))
    }
}

/// What a word says, without its quotes and backslashes; `None` where a number behind a backslash is no byte.
pub(crate) fn meaning(word: &str) -> Option<Vec<u8>> {
    let inner = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word);
    let (mut bytes, mut rest) = (Vec::new(), inner.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                first @ b'0'..=b'9' => {
                    let digits = [first, rest.next()?, rest.next()?];
                    std::str::from_utf8(&digits).ok()?.parse().ok()?
                }
                other => other,
            },
            other => other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        entries(text).unwrap().into_iter().map(|entry| entry.words).collect()
    }

    #[test]
    fn entries_are_lines_or_stand_in_parentheses() {
        assert_eq!(words("a b\n\n ; nothing\nc\t\"d e\"\r\n"), [vec!["a", "b"], vec!["c", "\"d e\""]]);
        assert_eq!(words("a ( b ; why\n c )d\n e"), [vec!["a", "b", "c", "d"], vec!["e"]]);
        assert_eq!(
            words(r#"a "x;(\"" "b""c" alpn="h2,h3" \;"#),
            [vec!["a", r#""x;(\"""#, r#""b""#, r#""c""#, r#"alpn="h2,h3""#, r"\;"]]
        );
        assert_eq!(words(""), Vec::<Vec<String>>::new());
    }

    #[test]
    fn an_entry_knows_its_line_its_owner_and_its_comment() {
        let entries = entries("a\n b ( ;; one\nc ) ; two\nd").unwrap();
        let told: Vec<_> = entries.iter().map(|e| (e.line, e.indented, e.comment.as_str())).collect();
        assert_eq!(told, [(1, false, ""), (2, true, "one two"), (4, false, "")]);
    }

    #[test]
    fn a_flaw_names_its_line() {
        for (text, line, why) in [
            ("a\nb (\nc", 2, "a parenthesis is not closed"),
            ("a )", 1, "a parenthesis was not opened"),
            ("\na \"b\nc\"", 2, "a quote is not closed"),
            ("a\\", 1, "nothing follows a backslash"),
            ("a\0b", 1, "there is a control character"),
        ] {
            assert_eq!(entries(text).unwrap_err(), Flaw { line, why: why.to_owned() }, "{text:?}");
        }
    }

    #[test]
    fn a_word_means_bytes() {
        assert_eq!(meaning(r#""a \"b\" \065\\""#).unwrap(), br#"a "b" A\"#);
        assert_eq!(meaning("é").unwrap(), "é".as_bytes());
        for wrong in [r"\256", r"\1", r"\"] {
            assert_eq!(meaning(wrong), None, "{wrong}");
        }
    }
}
