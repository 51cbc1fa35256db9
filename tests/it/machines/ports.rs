//! Which ports answer, by nmap's word.

use super::bed::Bed;

/// Every TCP port that answers at an address, from a point of view.
pub(super) fn open(bed: &Bed, from: &str, address: &str) -> Vec<u16> {
    let family = if address.contains(':') { "-6" } else { "-4" };
    // filtered ports give no answer, so one try and a high rate are both safe and quick on a link without loss
    let flags = ["-n", "-Pn", "-sS", "-p-", "--min-rate", "8000", "--max-retries", "2", "-oG", "-"];
    let words = [&["nmap", family] as &[&str], &flags, &[address]].concat();
    let output = bed.seen_from(from, &words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = String::from_utf8(output.stdout).unwrap();
    let ports = report.lines().find_map(|line| line.split_once("Ports: "));
    let (_, ports) = ports.unwrap_or_else(|| panic!("nothing answers at {address} from {from}:\n{report}"));
    let open = ports.split(", ").filter_map(|port| port.trim().split_once("/open/"));
    open.map(|(number, _)| number.parse().unwrap()).collect()
}
