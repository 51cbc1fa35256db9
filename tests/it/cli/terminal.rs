//! A person at a terminal, who reads a question and answers it.

use std::io::{Read, Write};
use std::process::Stdio;

use super::environment::Environment;

impl Environment {
    /// Runs a command at a terminal (that of `script`, which every Debian has) and types `answer` once it asks
    /// `question`: the exit code and what is on the screen.
    pub(super) fn at_terminal(&self, args: &[&str], question: &str, answer: &str) -> (Option<i32>, String) {
        let program = self.command(args);
        let words = std::iter::once(program.get_program()).chain(program.get_args());
        let line: Vec<_> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
        let mut script = self.program_at("/usr/bin/script", &["-qefc", &line.join(" "), "/dev/null"]);
        let mut child = script
            .env("TERM", "dumb")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut seen = Vec::new();
        let mut byte = [0];
        while !String::from_utf8_lossy(&seen).ends_with(question) {
            assert_eq!(screen.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&seen));
            seen.push(byte[0]);
        }
        keyboard.write_all(answer.as_bytes()).unwrap();
        keyboard.write_all(b"\n").unwrap();
        screen.read_to_end(&mut seen).unwrap();
        let code = child.wait().unwrap().code();
        (code, self.plain(&String::from_utf8(seen).unwrap().replace("\r\n", "\n")))
    }
}
