//! The instances.

use sqlx::any::AnyRow;

use super::database::Statement;
use super::{Lease, Store, StoreError, seal};
use crate::model::instance::{Instance, Stage};
use crate::model::name::InstanceName;

/// Takes an instance's hash out of the fleet's seal, or puts it in: exclusive or is both. SQLite has no operator for it, but
/// what either has without what both have is the same.
const RESEAL: &str = "\
UPDATE fleet SET seal = (seal | COALESCE((SELECT hash FROM instance WHERE name = $1), 0))
                      - (seal & COALESCE((SELECT hash FROM instance WHERE name = $1), 0))";

impl Store {
    /// All instances that are not gone, by name.
    ///
    /// # Errors
    /// [`StoreError`], also where one of them is not as it was written, or missing.
    pub async fn instances(&self) -> Result<Vec<Instance>, StoreError> {
        let database = self.database();
        // one statement, so that both are of one moment
        let statement = Statement::new(
            "SELECT fleet.seal, instance.name, instance.spec, instance.stage, instance.created, instance.hash
             FROM fleet LEFT JOIN instance ON TRUE ORDER BY instance.name",
        );
        let mut instances = Vec::new();
        let mut seal = 0;
        for row in database.rows(statement).await? {
            seal = database.get::<i64>(&row, "seal")?;
            if database.get::<Option<String>>(&row, "name")?.is_some() {
                instances.push(self.instance_of(&row)?);
            }
        }
        let all = instances.iter().fold(0, |all, (_, hash)| all ^ hash);
        if all != seal {
            return Err(self.damaged("the list of instances".to_owned()));
        }
        Ok(instances.into_iter().map(|(instance, _)| instance).collect())
    }

    fn instance_of(&self, row: &AnyRow) -> Result<(Instance, i64), StoreError> {
        let text = |column: &str| self.database().get::<String>(row, column);
        let (name, spec, stage, created) = (text("name")?, text("spec")?, text("stage")?, text("created")?);
        let hash = row_hash(&name, &spec, &stage, &created);
        if hash != self.database().get::<i64>(row, "hash")? {
            return Err(self.damaged(format!("the entry for {name}")));
        }
        let spec = serde_json::from_str(&spec).map_err(|e| self.row_error(&name, e))?;
        let stage: Stage = serde_json::from_str(&stage).map_err(|e| self.row_error(&name, e))?;
        let parsed = name.parse().map_err(|e| self.row_error(&name, serde::de::Error::custom(e)))?;
        Ok((Instance { name: parsed, spec, stage, created }, hash))
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
        Ok(vec![reseal(name), put, reseal(name)])
    }

    /// The statements that take an instance off the list.
    pub(super) fn remove_instance(&self, name: &InstanceName) -> Vec<Statement> {
        let remove = Statement::new("DELETE FROM instance WHERE name = $1");
        vec![reseal(name.as_str()), remove.bind(name.as_str())]
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

/// Run before and after the row changes.
fn reseal(name: &str) -> Statement {
    Statement::new(RESEAL).bind(name)
}
