//! The host keys that were injected, by the create that injected them.

use std::collections::BTreeMap;

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

    /// Puts it into its instance's seal, where it is not there already; run before [`Creation::insert`].
    fn seal(&self) -> Statement {
        Statement::new(
            "UPDATE lease SET host_keys = (host_keys | $2) - (host_keys & $2)
             WHERE subject = $1 AND NOT EXISTS (SELECT 1 FROM creation WHERE op = $3)",
        )
        .bind(self.instance.as_str())
        .bind(self.hash())
        .bind(self.op.as_str())
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
        self.write([creation.seal(), creation.insert()]).await?;
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
            "SELECT asked.sealed, lease.host_keys, creation.* FROM (SELECT CAST($1 AS TEXT) AS sealed) AS asked
             LEFT JOIN lease ON lease.subject = asked.sealed
             LEFT JOIN creation ON creation.instance = asked.sealed",
        );
        let op = op.to_string();
        let found = self.creations_of(statement.bind(instance.as_str())).await?;
        Ok(found.into_iter().find(|creation| creation.op == op).map(|creation| creation.host_key))
    }

    /// All creates, by their ids.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn creations(&self) -> Result<Vec<Creation>, StoreError> {
        let all = "SELECT lease.subject AS sealed, lease.host_keys, creation.* FROM lease
                   FULL JOIN creation ON creation.instance = lease.subject ORDER BY creation.op";
        self.creations_of(Statement::new(all)).await
    }

    async fn creations_of(&self, statement: Statement) -> Result<Vec<Creation>, StoreError> {
        let database = self.database();
        let (mut creations, mut seals) = (Vec::new(), BTreeMap::<String, i64>::new());
        let mut sealed = BTreeMap::new();
        for row in database.rows(statement).await? {
            if let Some(subject) = database.get::<Option<String>>(&row, "sealed")? {
                sealed.insert(subject, database.get::<Option<i64>>(&row, "host_keys")?.unwrap_or_default());
            }
            if database.get::<Option<String>>(&row, "op")?.is_none() {
                continue;
            }
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
            *seals.entry(creation.instance.clone()).or_default() ^= creation.hash();
            creations.push(creation);
        }
        sealed.retain(|_, seal| *seal != 0);
        match sealed == seals {
            true => Ok(creations),
            false => Err(self.damaged("the list of host keys".to_owned())),
        }
    }
}
