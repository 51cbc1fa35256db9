//! The instances.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError};
use crate::model::instance::{Instance, Stage};
use crate::model::name::InstanceName;

impl Store {
    /// All instances that are not gone, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn instances(&self) -> Result<Vec<Instance>, StoreError> {
        let rows = sqlx::query("SELECT name, spec, stage, created FROM instance ORDER BY name")
            .fetch_all(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        rows.iter().map(|row| self.instance_of(row)).collect()
    }

    /// One instance.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn instance(&self, name: &InstanceName) -> Result<Option<Instance>, StoreError> {
        let row = sqlx::query("SELECT name, spec, stage, created FROM instance WHERE name = ?")
            .bind(name.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        row.as_ref().map(|row| self.instance_of(row)).transpose()
    }

    /// Writes an instance down, replacing what was known of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_instance(&self, instance: &Instance) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO instance (name, spec, stage, created) VALUES (?, ?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, stage = excluded.stage",
        )
        .bind(instance.name.as_str())
        .bind(self.json(&instance.name, &instance.spec)?)
        .bind(self.json(&instance.name, &instance.stage)?)
        .bind(&instance.created)
        .execute(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        Ok(())
    }

    pub(super) fn json(
        &self,
        name: &InstanceName,
        value: &impl serde::Serialize,
    ) -> Result<String, StoreError> {
        serde_json::to_string(value).map_err(|source| self.row_error(name.as_str(), source))
    }

    fn instance_of(&self, row: &SqliteRow) -> Result<Instance, StoreError> {
        let text = |column: &str| row.try_get::<String, _>(column).map_err(|e| self.error(e));
        let name = text("name")?;
        let spec = serde_json::from_str(&text("spec")?).map_err(|e| self.row_error(&name, e))?;
        let stage: Stage = serde_json::from_str(&text("stage")?).map_err(|e| self.row_error(&name, e))?;
        let created = text("created")?;
        let parsed = name.parse().map_err(|e| self.row_error(&name, serde::de::Error::custom(e)))?;
        Ok(Instance { name: parsed, spec, stage, created })
    }

    fn row_error(&self, what: &str, source: serde_json::Error) -> StoreError {
        StoreError::Row { path: self.path.clone(), what: what.to_owned(), source }
    }
}
