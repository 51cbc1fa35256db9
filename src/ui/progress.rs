//! Events as they come: live lines on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;

use super::visible;
use crate::clock::human;
use crate::model::event::{Event, What};

pub(super) async fn silent(mut events: UnboundedReceiver<Event>) {
    while events.recv().await.is_some() {}
}

/// One line for each thing that was done; what goes on is not repeated.
pub(super) async fn plain(width: usize, mut events: UnboundedReceiver<Event>, mut line: impl FnMut(&str)) {
    while let Some(Event { subject, what }) = events.recv().await {
        match what {
            What::Doing(_) => {}
            What::Did(text, took) | What::Finished(text, took) => {
                line(&format!("{subject:<width$}  {}", timed(&text, took)));
            }
            What::Failed(text) => line(&format!("{subject:<width$}  failed: {text}")),
        }
    }
}

fn timed(text: &str, took: Duration) -> String {
    if took < Duration::from_secs(1) { text.to_owned() } else { format!("{text} ({})", human(took)) }
}

/// One line for each subject, redrawn.
pub(super) async fn live(width: usize, colour: bool, mut events: UnboundedReceiver<Event>) {
    let all = MultiProgress::new();
    let fresh = |subject: &str| {
        let bar = all.add(ProgressBar::new_spinner());
        bar.set_style(style(colour, WORKING));
        bar.set_prefix(format!("{subject:<width$}"));
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    };
    let mut bars: HashMap<String, ProgressBar> = HashMap::new();
    while let Some(Event { subject, what }) = events.recv().await {
        let bar = bars.entry(subject.clone()).or_insert_with(|| fresh(&subject));
        match what {
            What::Doing(text) | What::Did(text, _) => bar.set_message(visible(&text).into_owned()),
            What::Finished(text, took) => bar.finish_with_message(timed(&visible(&text), took)),
            What::Failed(text) => {
                bar.set_style(style(colour, FAILED));
                bar.abandon_with_message(format!("failed: {}", visible(&text)));
            }
        }
    }
    for bar in bars.values().filter(|bar| !bar.is_finished()) {
        bar.finish();
    }
}

/// The last mark stays when the line is finished.
const WORKING: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏✓";
const FAILED: &str = "✗✗";

fn style(colour: bool, marks: &str) -> ProgressStyle {
    let template = if colour {
        "{spinner:.cyan} {prefix:.bold}  {wide_msg} {elapsed:.dim}"
    } else {
        "{spinner} {prefix}  {wide_msg} {elapsed}"
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars(marks)
}
