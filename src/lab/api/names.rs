//! Which rows have which name, so that nobody has to look at all of them.

use std::collections::{BTreeSet, HashMap};

/// The ids of each name, for the kinds that have names.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<String, BTreeSet<u64>>);

impl Names {
    pub(crate) fn add(&mut self, name: Option<&str>, id: u64) {
        if let Some(name) = name {
            self.0.entry(name.to_owned()).or_default().insert(id);
        }
    }

    pub(crate) fn remove(&mut self, name: Option<&str>, id: u64) {
        let Some((name, ids)) = name.and_then(|name| Some((name, self.0.get_mut(name)?))) else {
            return;
        };
        ids.remove(&id);
        if ids.is_empty() {
            self.0.remove(name);
        }
    }

    /// The rows of that name, in the order of their ids.
    pub(crate) fn ids(&self, name: &str) -> impl Iterator<Item = u64> {
        self.0.get(name).into_iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_rows_as_long_as_they_have_it() {
        let mut names = Names::default();
        for id in [7, 3] {
            names.add(Some("a"), id);
        }
        names.add(None, 4);
        assert_eq!(names.ids("a").collect::<Vec<_>>(), [3, 7]);
        names.remove(Some("a"), 3);
        names.remove(Some("b"), 7);
        names.remove(None, 4);
        assert_eq!(names.ids("a").collect::<Vec<_>>(), [7]);
        names.remove(Some("a"), 7);
        assert!(names.0.is_empty());
    }
}
