//! The instances.

use super::database::Statement;
use super::{Lease, Store, StoreError, seal};
use crate::model::instance::{Instance, Stage};
use crate::model::name::InstanceName;

/// What stands between the columns of an instance, and after each instance; JSON has neither in it.
const BETWEEN: char = '\u{1f}';
const END: char = '\u{1e}';

/// All instances as one text: ten thousand rows of five columns each would take the driver longer than everything else. One
/// statement, so that the seal is of the same moment.
const ALL: &str = "\
SELECT fleet.seal, (SELECT string_agg(name || '\u{1f}' || spec || '\u{1f}' || stage || '\u{1f}' || created || '\u{1f}' || hash,
                                      '\u{1e}') FROM instance) AS instances FROM fleet";

/// Fewer entries than this are not worth a thread.
const MANY: usize = 1_000;

/// Takes an instance's old hash out of the fleet's seal and puts the new one in: exclusive or is both. SQLite has no operator
/// for it, but what either has without what both have is the same.
const RESEAL: &str = "\
UPDATE fleet SET seal = (seal | turned.bits) - (seal & turned.bits)
FROM (SELECT (old.hash | $2) - (old.hash & $2) AS bits
      FROM (SELECT COALESCE((SELECT hash FROM instance WHERE name = $1), 0) AS hash) AS old) AS turned";

impl Store {
    /// All instances that are not gone, by name.
    ///
    /// # Errors
    /// [`StoreError`], also where one of them is not as it was written, or missing.
    pub async fn instances(&self) -> Result<Vec<Instance>, StoreError> {
        let database = self.database();
        let Some(row) = database.row(Statement::new(ALL)).await? else { return Ok(Vec::new()) };
        let text = database.get::<Option<&str>>(&row, "instances")?.unwrap_or_default();
        let entries: Vec<&str> = text.split_terminator(END).collect();
        let (mut instances, mut all) = (Vec::with_capacity(entries.len()), 0);
        for part in self.read_side_by_side(&entries) {
            for (instance, hash) in part? {
                instances.push(instance);
                all ^= hash;
            }
        }
        // the databases would sort the whole texts
        instances.sort_by(|one, other| one.name.cmp(&other.name));
        match all == database.get::<i64>(&row, "seal")? {
            true => Ok(instances),
            false => Err(self.damaged("the list of instances".to_owned())),
        }
    }

    /// Reads entries with all the cores that there are, where they are many: most of the time of a `list` goes here.
    fn read_side_by_side(&self, entries: &[&str]) -> Vec<Result<Vec<(Instance, i64)>, StoreError>> {
        let read = |part: &[&str]| part.iter().map(|entry| self.instance_of(entry)).collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let part = entries.len().div_ceil(cores).max(MANY);
        std::thread::scope(|scope| {
            let parts: Vec<_> = entries.chunks(part).map(|part| scope.spawn(move || read(part))).collect();
            let join = |part: std::thread::ScopedJoinHandle<'_, _>| {
                part.join().unwrap_or_else(|broke| std::panic::resume_unwind(broke))
            };
            parts.into_iter().map(join).collect()
        })
    }

    fn instance_of(&self, entry: &str) -> Result<(Instance, i64), StoreError> {
        let columns: Vec<&str> = entry.split(BETWEEN).collect();
        let [name, spec, stage, created, written] = columns[..] else {
            return Err(self.damaged("the list of instances".to_owned()));
        };
        let hash = row_hash(name, spec, stage, created);
        if written.parse() != Ok(hash) {
            return Err(self.damaged(format!("the entry for {name}")));
        }
        let spec = serde_json::from_str(spec).map_err(|e| self.row_error(name, e))?;
        let stage: Stage = serde_json::from_str(stage).map_err(|e| self.row_error(name, e))?;
        let parsed = name.parse().map_err(|e| self.row_error(name, serde::de::Error::custom(e)))?;
        Ok((Instance { name: parsed, spec, stage, created: created.to_owned() }, hash))
    }

    /// The statements that write an instance down, replacing what was known of it.
    pub(super) fn change_instance(&self, instance: &Instance) -> Result<Vec<Statement>, StoreError> {
        let name = instance.name.as_str();
        let json = |value: Result<String, serde_json::Error>| value.map_err(|e| self.row_error(name, e));
        let spec = json(serde_json::to_string(&instance.spec))?;
        let stage = json(serde_json::to_string(&instance.stage))?;
        let hash = row_hash(name, &spec, &stage, &instance.created);
        let put = Statement::new(
            "INSERT INTO instance (name, spec, stage, created, hash) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, stage = excluded.stage,
             created = excluded.created, hash = excluded.hash",
        );
        let put = put.bind(name).bind(spec).bind(stage).bind(instance.created.as_str()).bind(hash);
        Ok(self.database().together(reseal(name, hash), put))
    }

    /// The statements that take an instance off the list.
    pub(super) fn remove_instance(&self, name: &InstanceName) -> Vec<Statement> {
        let remove = Statement::new("DELETE FROM instance WHERE name = $1");
        self.database().together(reseal(name.as_str(), 0), remove.bind(name.as_str()))
    }

    fn row_error(&self, what: &str, source: serde_json::Error) -> StoreError {
        StoreError::Row { place: self.place().clone(), what: what.to_owned(), source }
    }
}

impl Lease {
    /// Writes an instance down, replacing what was known of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put(&self, instance: &Instance) -> Result<(), StoreError> {
        self.write(self.store.change_instance(instance)?).await?;
        Ok(())
    }
}

/// The hash of an instance's row.
pub(super) fn row_hash(name: &str, spec: &str, stage: &str, created: &str) -> i64 {
    seal::hash([name, spec, stage, created].map(Some))
}

/// Run before the row gets the hash `new`, which is 0 where the row goes.
fn reseal(name: &str, new: i64) -> Statement {
    Statement::new(RESEAL).bind(name).bind(new)
}
