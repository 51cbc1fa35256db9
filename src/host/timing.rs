//! Where the time of a server's set-up went, as it has written it down.

use anyhow::{Context as _, Result, ensure};

use crate::ssh::{Command, Output};

/// The progress of the set-up, when cloud-init's first stage was there, and when this boot began.
const OBSERVE: &str = r#"cat /var/lib/clawberth/progress
echo ---
stat -c %Y /var/lib/cloud/data/instance-id
boot=$(systemctl show -P KernelTimestamp)
date -d "${boot:-$(systemctl show -P UserspaceTimestamp)}" +%s"#;

/// A part of it, in seconds since 1970 by the server's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name in `setup`; `boot` and `packages` are what comes before that.
    pub name: String,
    /// When it began.
    pub begun: i64,
    /// When it ended, well or not.
    pub ended: i64,
}

/// Asks for it.
pub fn timing() -> Command {
    Command::new("sh").args(["-c", OBSERVE])
}

/// Reads the answer to [`timing`]: the parts of the first set-up, in order. The boot is left out where the server was started anew since.
///
/// # Errors
/// A server that has written nothing down, or an answer of another shape.
pub fn parse_timing(output: &Output) -> Result<Vec<Part>> {
    ensure!(output.status == 0, "the server tells no times: {}", output.stderr.trim());
    let (progress, boot) = output.stdout.split_once("\n---\n").context("the server's times are cut short")?;
    let lines = progress.lines().map(line).collect::<Result<Vec<_>>>()?;
    let (begun, _, _) = lines.first().context("the server has written down no times")?;
    let mut parts = before(boot, *begun)?;
    let mut running: Option<(&str, i64)> = None;
    for (time, name, state) in &lines {
        match (*name, *state, running) {
            ("setup", "started", _) => {}
            ("setup", _, _) => break,
            (_, "started", _) => running = Some((name, *time)),
            (_, _, Some((started, begun))) if started == *name => {
                parts.push(Part { name: started.to_owned(), begun, ended: *time });
                running = None;
            }
            (_, _, _) => {}
        }
    }
    Ok(parts)
}

/// What came before the set-up.
fn before(boot: &str, set_up: i64) -> Result<Vec<Part>> {
    let times = boot.lines().map(|line| Ok(line.trim().parse()?)).collect::<Result<Vec<i64>>>()?;
    let [born, boot] = times.as_slice() else { anyhow::bail!("the server's times are cut short") };
    if !(boot <= born && *born <= set_up) {
        return Ok(Vec::new());
    }
    let part = |name: &str, begun, ended| Part { name: name.to_owned(), begun, ended };
    Ok(vec![part("boot", *boot, *born), part("packages", *born, set_up)])
}

/// A line of the progress: the time, the part, and what it did.
fn line(line: &str) -> Result<(i64, &str, &str)> {
    let words: Vec<&str> = line.split(' ').collect();
    let [time, name, state] = words.as_slice() else { anyhow::bail!("no line of a set-up: {line:?}") };
    Ok((time.parse()?, name, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(progress: &str, boot: &str) -> Result<Vec<String>> {
        let output =
            Output { status: 0, stdout: format!("{progress}\n---\n{boot}\n"), stderr: String::new() };
        let tell = |part: Part| format!("{} {}-{}", part.name, part.begun, part.ended);
        Ok(parse_timing(&output)?.into_iter().map(tell).collect())
    }

    const PROGRESS: &str = "20 setup started\n20 node started\n25 node done\n25 package started\n40 package done\n\
                            40 setup done\n90 setup started\n90 node started\n91 node done\n91 setup done";

    #[test]
    fn the_boot_what_cloud_init_does_and_the_first_set_up() {
        let all = ["boot 5-9", "packages 9-20", "node 20-25", "package 25-40"];
        assert_eq!(parts(PROGRESS, "9\n5").unwrap(), all);
        assert_eq!(parts(PROGRESS, "9\n70").unwrap(), all[2..], "started anew since");
    }

    #[test]
    fn one_that_failed_took_time_too_and_one_that_goes_on_is_left_out() {
        let progress = "20 setup started\n20 node started\n25 node failed\n30 setup started\n30 node started";
        assert_eq!(parts(progress, "9\n5").unwrap()[2..], ["node 20-25"]);
    }

    #[test]
    fn other_answers_are_errors() {
        for (progress, boot) in [("", "9\n5"), ("soon", "9\n5"), (PROGRESS, ""), (PROGRESS, "9\nnever")] {
            assert!(parts(progress, boot).is_err(), "{progress:?} {boot:?}");
        }
        assert!(parse_timing(&Output { status: 1, stdout: String::new(), stderr: "no".into() }).is_err());
    }
}
