//! The host keys that were injected, by the create that injected them.

use super::{Store, StoreError};
use crate::model::fleet::OpId;
use crate::model::name::InstanceName;

impl Store {
    /// Writes down which public host key a create is about to inject.
    ///
    /// # Errors
    /// [`StoreError`]; the create must not be sent then.
    pub async fn put_creation(
        &self,
        op: &OpId,
        instance: &InstanceName,
        host_key: &str,
        now: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO creation (op, instance, host_key, created) VALUES (?, ?, ?, ?)")
            .bind(op.to_string())
            .bind(instance.as_str())
            .bind(host_key)
            .bind(now)
            .execute(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(())
    }

    /// The host key that a create injected, if it was one of ours.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn host_key_of(
        &self,
        op: &OpId,
        instance: &InstanceName,
    ) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar("SELECT host_key FROM creation WHERE op = ? AND instance = ?")
            .bind(op.to_string())
            .bind(instance.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| self.error(e))
    }
}
