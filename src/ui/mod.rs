//! What a person or a script sees: the answer on stdout, the story on stderr.

mod chart;
mod count;
mod plan;
mod progress;
mod table;
mod visible;

use std::io::{BufRead, Write};

use anyhow::{Context, Result};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use tokio::sync::mpsc::UnboundedReceiver;

pub use chart::{Span, chart};
pub use count::counted;
pub use table::table;
pub use visible::visible;

use crate::model::event::Event;
use crate::plan::Plan;

/// The streams, and how to use them.
pub struct Ui {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    style: Style,
}

/// Nobody reads the answer any more, as where `head` has seen enough.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the answer")]
pub struct Unread;

/// How to show things.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// The answer is JSON.
    pub json: bool,
    /// No story, only the answer and errors.
    pub quiet: bool,
    /// stderr is a terminal that can redraw lines.
    pub live: bool,
    /// Colours are welcome.
    pub colour: bool,
    /// Somebody can be asked.
    pub interactive: bool,
}

impl Ui {
    /// A view on these streams.
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, style: Style) -> Self {
        Self { out, err, style }
    }

    /// How things are shown.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Writes a part of the answer.
    ///
    /// # Errors
    /// Where stdout is closed: [`Unread`] where it was a pipe.
    pub fn answer(&mut self, text: &str) -> Result<()> {
        let written = writeln!(self.out, "{}", visible(text.trim_end_matches('\n')));
        match written.and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Unread.into()),
            written => written.context("cannot write to stdout"),
        }
    }

    /// Where the answer goes, for a command that writes it bit by bit.
    pub fn stdout(&mut self) -> &mut (dyn Write + Send) {
        &mut *self.out
    }

    /// Writes the answer as JSON.
    ///
    /// # Errors
    /// Where stdout is closed.
    pub fn json(&mut self, value: &serde_json::Value) -> Result<()> {
        let text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
        self.answer(&text)
    }

    /// Writes a line of the story, unless it is not wanted.
    pub fn note(&mut self, text: &str) {
        if !self.style.quiet {
            self.complain(text);
        }
    }

    /// Writes to stderr, wanted or not.
    pub fn complain(&mut self, text: &str) {
        // a closed stderr must not change what happens
        let _ = writeln!(self.err, "{}", visible(text.trim_end_matches('\n')));
    }

    /// Shows a plan with its price.
    pub fn plan(&mut self, plan: &Plan) {
        self.note(&plan::lines(plan).join("\n"));
    }

    /// Answers with a plan that is not going to be walked.
    ///
    /// # Errors
    /// Where stdout is closed.
    pub fn answer_plan(&mut self, plan: &Plan) -> Result<()> {
        if self.style.json {
            return self.json(&plan::json(plan));
        }
        if plan.is_empty() && plan.later.is_empty() {
            self.note("nothing to do");
            return Ok(());
        }
        self.answer(&plan::lines(plan).join("\n"))?;
        self.note("nothing was done (--dry-run)");
        Ok(())
    }

    /// Asks; `None` where nobody can be asked.
    ///
    /// # Errors
    /// Where stdin cannot be read.
    pub fn confirm(&mut self, question: &str) -> Result<Option<bool>> {
        if !self.style.interactive {
            return Ok(None);
        }
        let answer = self.ask(&format!("{question} [y/N] "))?;
        Ok(Some(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")))
    }

    /// Asks for a line.
    ///
    /// # Errors
    /// Where stdin cannot be read.
    pub fn ask(&mut self, question: &str) -> Result<String> {
        let _ = write!(self.err, "{question}");
        let _ = self.err.flush();
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("cannot read the answer")?;
        Ok(line.trim().to_owned())
    }

    /// Asks for something that is not to be seen; `None` where nobody can be asked.
    ///
    /// # Errors
    /// Where stdin cannot be read, or the terminal does not do as it is told.
    pub fn ask_secret(&mut self, question: &str) -> Result<Option<String>> {
        if !self.style.interactive {
            return Ok(None);
        }
        let terminal = std::io::stdin();
        let usual = tcgetattr(&terminal).context("cannot see how the terminal is set")?;
        let mut unseen = usual.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &unseen).context("cannot hide what is typed")?;
        let answer = self.ask(question);
        // whatever came of it
        let shown =
            tcsetattr(&terminal, OptionalActions::Now, &usual).context("cannot show again what is typed");
        self.complain("");
        let answer = answer?;
        shown?;
        Ok(Some(answer))
    }

    /// Shows events as they come, until the last sender is gone. One live line on a terminal for each of these subjects that
    /// something happens to, plain lines elsewhere.
    pub async fn watch(&mut self, subjects: &[String], events: UnboundedReceiver<Event>) {
        let width = subjects.iter().map(String::len).max().unwrap_or(0).max("fleet".len());
        if self.style.quiet {
            progress::silent(events).await;
        } else if self.style.live {
            progress::live(width, self.style.colour, events).await;
        } else {
            progress::plain(width, events, |line| self.note(line)).await;
        }
    }
}
