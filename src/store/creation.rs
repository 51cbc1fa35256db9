//! The host keys that were injected, by the create that injected them.

use serde::{Deserialize, Serialize};

use super::database::Statement;
use super::{Lease, Store, StoreError, seal};
use crate::model::fleet::OpId;
use crate::model::name::InstanceName;

/// A create that was about to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Creation {
    /// Its id, which is on the server's label.
    pub op: String,
    /// For which instance.
    pub instance: String,
    /// The public host key that it injected.
    pub host_key: String,
    /// When (RFC 3339).
    pub created: String,
}

impl Creation {
    pub(super) fn hash(&self) -> i64 {
        seal::hash([&self.op, &self.instance, &self.host_key, &self.created].map(|text| Some(text.as_str())))
    }

    /// Changes nothing where it is there already; a guard against another one with the same id.
    pub(super) fn insert(&self) -> Statement {
        Statement::new(
            "INSERT INTO creation (op, instance, host_key, created, hash) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (op) DO UPDATE SET hash = excluded.hash WHERE creation.hash = excluded.hash",
        )
        .bind(self.op.as_str())
        .bind(self.instance.as_str())
        .bind(self.host_key.as_str())
        .bind(self.created.as_str())
        .bind(self.hash())
        .guard()
    }
}

impl Lease {
    /// Writes down which public host key a create is about to inject.
    ///
    /// # Errors
    /// [`StoreError`]; the create must not be sent then.
    pub async fn put_creation(&self, op: &OpId, host_key: &str, now: &str) -> Result<(), StoreError> {
        let (op, instance) = (op.to_string(), self.subject.clone());
        let creation = Creation { op, instance, host_key: host_key.to_owned(), created: now.to_owned() };
        self.write([creation.insert()]).await?;
        Ok(())
    }
}

impl Store {
    /// The host key that a create injected, if it was one of ours.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn host_key_of(
        &self,
        op: &OpId,
        instance: &InstanceName,
    ) -> Result<Option<String>, StoreError> {
        let statement = Statement::new(
            "SELECT op, instance, host_key, created, hash FROM creation WHERE op = $1 AND instance = $2",
        );
        let found = self.creations_of(statement.bind(op.to_string()).bind(instance.as_str())).await?;
        Ok(found.into_iter().next().map(|creation| creation.host_key))
    }

    /// All creates, by their ids.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn creations(&self) -> Result<Vec<Creation>, StoreError> {
        let all = "SELECT op, instance, host_key, created, hash FROM creation ORDER BY op";
        self.creations_of(Statement::new(all)).await
    }

    async fn creations_of(&self, statement: Statement) -> Result<Vec<Creation>, StoreError> {
        let database = self.database();
        let mut creations = Vec::new();
        for row in database.rows(statement).await? {
            let text = |column: &str| database.get::<String>(&row, column);
            let creation = Creation {
                op: text("op")?,
                instance: text("instance")?,
                host_key: text("host_key")?,
                created: text("created")?,
            };
            if database.get::<i64>(&row, "hash")? != creation.hash() {
                return Err(self.damaged(format!("a host key of {}", creation.instance)));
            }
            creations.push(creation);
        }
        Ok(creations)
    }
}
