use std::collections::{BTreeMap, VecDeque};

use crate::model::name::InstanceName;
use crate::model::rollout::{Host, Waves};

/// A host that is to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Whose it is.
    pub name: InstanceName,
    /// Where it stands, such as `fsn1`.
    pub location: String,
}

/// Hosts in the order in which they start, in waves. No wave lies in one location where that can be avoided, so that what is
/// wrong with one location shows early, and a bad change does not take one away as a whole. The same hosts
/// are always arranged in the same way.
pub fn arrange(hosts: Vec<Candidate>, waves: &Waves) -> Vec<Host> {
    let sizes = waves.sizes(hosts.len());
    let mut left = Locations::new(hosts);
    // two hosts of different locations for each wave first, so that a large wave does not use up the rare location
    let mut arranged: Vec<Vec<InstanceName>> = sizes
        .iter()
        .map(|size| if *size < 2 { Vec::new() } else { left.take_pair().map(Vec::from).unwrap_or_default() })
        .collect();
    for (wave, size) in arranged.iter_mut().zip(sizes) {
        let missing = size.saturating_sub(wave.len());
        wave.extend((0..missing).filter_map(|_| left.take()));
    }
    let number =
        |(wave, names): (usize, Vec<InstanceName>)| names.into_iter().map(move |n| Host::waiting(n, wave));
    (1..).zip(arranged).flat_map(number).collect()
}

/// The hosts that have no wave yet, by location and name.
struct Locations(BTreeMap<String, VecDeque<InstanceName>>);

impl Locations {
    fn new(mut hosts: Vec<Candidate>) -> Self {
        hosts.sort_by(|a, b| a.name.cmp(&b.name));
        let mut locations = BTreeMap::<String, VecDeque<InstanceName>>::new();
        for host in hosts {
            locations.entry(host.location).or_default().push_back(host.name);
        }
        Self(locations)
    }

    /// A host of the location that has most left.
    fn take(&mut self) -> Option<InstanceName> {
        self.take_but(None).map(|(_, name)| name)
    }

    /// A host of each of the two locations that have most left.
    fn take_pair(&mut self) -> Option<[InstanceName; 2]> {
        if self.0.values().filter(|names| !names.is_empty()).count() < 2 {
            return None;
        }
        let (location, first) = self.take_but(None)?;
        let (_, second) = self.take_but(Some(&location))?;
        Some([first, second])
    }

    fn take_but(&mut self, other: Option<&str>) -> Option<(String, InstanceName)> {
        let candidates = self.0.iter_mut().filter(|(location, _)| Some(location.as_str()) != other);
        // of two with as many left the first by name
        let (location, names) = candidates.rev().max_by_key(|(_, names)| names.len())?;
        Some((location.clone(), names.pop_front()?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn fleet(counts: &[(&str, usize)]) -> Vec<Candidate> {
        let hosts = |(location, count): &(&str, usize)| {
            let location = (*location).to_owned();
            (0..*count).map(move |n| Candidate {
                name: format!("{location}-{n:03}").parse().unwrap(),
                location: location.clone(),
            })
        };
        counts.iter().flat_map(hosts).collect()
    }

    fn shown(counts: &[(&str, usize)], waves: &str) -> String {
        let hosts = arrange(fleet(counts), &waves.parse().unwrap());
        let mut lines = Vec::new();
        for host in hosts {
            if lines.len() < host.wave {
                lines.push(String::new());
            }
            let line = lines.last_mut().unwrap();
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(host.name.as_str());
        }
        lines.join("\n")
    }

    #[test]
    fn each_wave_is_spread_over_the_locations() {
        let expected = "\
fsn1-003
fsn1-000 nbg1-000 fsn1-004 fsn1-005
fsn1-001 hel1-000 hel1-001 nbg1-002
fsn1-002 nbg1-001";
        assert_eq!(shown(&[("fsn1", 6), ("hel1", 2), ("nbg1", 3)], "1,4"), expected);
    }

    #[test]
    fn a_rare_location_is_kept_for_the_later_waves() {
        let expected = "\
fsn1-000 nbg1-000 fsn1-002
fsn1-001 nbg1-001 fsn1-003
fsn1-004 fsn1-005 fsn1-006";
        assert_eq!(shown(&[("fsn1", 7), ("nbg1", 2)], "3"), expected);
    }

    /// As many waves are mixed as can be: each needs one host of another location than most hosts are in.
    #[test]
    fn no_wave_lies_in_one_location_where_it_can_be_avoided() {
        for (a, b, c) in (0..12).flat_map(|a| (0..8).flat_map(move |b| (0..5).map(move |c| (a, b, c)))) {
            for waves in ["1,5,25%,100%", "2", "1,2", "3,2,1", "10%", "50%,2", "100%"] {
                let hosts = arrange(fleet(&[("fsn1", a), ("hel1", b), ("nbg1", c)]), &waves.parse().unwrap());
                let sizes = waves.parse::<Waves>().unwrap().sizes(a + b + c);
                let location = |host: &Host| host.name.as_str().split_once('-').unwrap().0.to_owned();
                let mixed = (1..=sizes.len()).filter(|wave| {
                    let of_wave = hosts.iter().filter(|host| host.wave == *wave);
                    of_wave.map(location).collect::<BTreeSet<_>>().len() > 1
                });
                let others = a + b + c - a.max(b).max(c);
                let can = sizes.iter().filter(|size| **size > 1).count().min(others);
                assert_eq!(mixed.count(), can, "{a} {b} {c} in {waves}");
            }
        }
    }

    #[test]
    fn every_host_is_in_one_wave_and_the_waves_have_their_sizes() {
        let hosts =
            arrange(fleet(&[("fsn1", 17), ("hel1", 9), ("nbg1", 4)]), &"1,5,25%,100%".parse().unwrap());
        let names: BTreeSet<_> = hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!((hosts.len(), names.len()), (30, 30));
        let size = |wave| hosts.iter().filter(|host| host.wave == wave).count();
        assert_eq!([size(1), size(2), size(3), size(4)], [1, 5, 7, 17]);
        assert!(hosts.is_sorted_by_key(|host| host.wave));
    }

    #[test]
    fn the_order_in_which_they_are_named_does_not_matter() {
        let waves = "1,5,25%,100%".parse().unwrap();
        let hosts = fleet(&[("fsn1", 17), ("hel1", 9)]);
        let turned = hosts.iter().rev().cloned().collect();
        assert_eq!(arrange(hosts, &waves), arrange(turned, &waves));
    }
}
