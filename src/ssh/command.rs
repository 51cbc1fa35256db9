//! A remote command is a value: compared as text in tests, quoted in one place, run by somebody else.

use std::fmt;

/// A command line for a POSIX shell, with every argument quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command(String);

/// What a remote command left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit status; 255 where the server sent none (killed by a signal).
    pub status: u32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Command {
    /// A command without arguments.
    pub fn new(program: &str) -> Self {
        Self(quoted(program))
    }

    /// The command with one more argument.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.0.push(' ');
        self.0.push_str(&quoted(argument));
        self
    }

    /// The command with more arguments.
    #[must_use]
    pub fn args<'a>(self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::Command;

    #[test]
    fn plain_words_stay_and_others_are_quoted() {
        let command = Command::new("printf").args(["%s\n", "it's", "", "$HOME", "a-b_c./=:@%+,"]);
        assert_eq!(command.to_string(), "printf '%s\n' 'it'\\''s' '' '$HOME' a-b_c./=:@%+,");
    }
}
