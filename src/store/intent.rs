//! Intents and outcomes: what was about to be done, and what came of it.

use super::{Store, StoreError};
use crate::model::instance::{Instance, Stage};

/// An intent that waits for its outcome.
#[derive(Debug)]
#[must_use = "an intent without outcome reads as an interruption"]
pub struct IntentId(i64);

impl Store {
    /// Writes down that a step is about to touch the world. `now` is RFC 3339.
    ///
    /// # Errors
    /// [`StoreError`]; the step must not be taken then.
    pub async fn begin(&self, subject: &str, step: &str, now: &str) -> Result<IntentId, StoreError> {
        let id: i64 =
            sqlx::query_scalar("INSERT INTO intent (subject, step, begun) VALUES (?, ?, ?) RETURNING id")
                .bind(subject)
                .bind(step)
                .bind(now)
                .fetch_one(&self.pool)
                .await
                .map_err(|e| self.error(e))?;
        Ok(IntentId(id))
    }

    /// Writes down what came of a step that belongs to no instance, or that failed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end(&self, intent: IntentId, outcome: &str, now: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE intent SET ended = ?, outcome = ? WHERE id = ?")
            .bind(now)
            .bind(outcome)
            .bind(intent.0)
            .execute(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(())
    }

    /// Writes down, in one transaction, what came of a step and where the instance stands now; one that is gone is
    /// taken off the list.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn advance(&self, intent: IntentId, instance: &Instance, now: &str) -> Result<(), StoreError> {
        let stage = self.json(&instance.name, &instance.stage)?;
        let mut transaction = self.pool.begin().await.map_err(|e| self.error(e))?;
        sqlx::query("UPDATE intent SET ended = ?, outcome = ? WHERE id = ?")
            .bind(now)
            .bind(instance.stage.word())
            .bind(intent.0)
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.error(e))?;
        let change = match instance.stage {
            Stage::Gone => sqlx::query("DELETE FROM instance WHERE name = ?").bind(instance.name.as_str()),
            _ => sqlx::query("UPDATE instance SET stage = ? WHERE name = ?")
                .bind(stage)
                .bind(instance.name.as_str()),
        };
        change.execute(&mut *transaction).await.map_err(|e| self.error(e))?;
        transaction.commit().await.map_err(|e| self.error(e))
    }
}
