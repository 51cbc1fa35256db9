//! The fleet's own row: whose state this is.

use serde::{Deserialize, Serialize};

use super::database::{Database, Statement, Written};
use super::{Lease, Store, StoreError, seal};
use crate::model::fleet::FleetId;
use crate::model::operator_key::{Keys, OperatorKey};

/// The fleet, as the state knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetRow {
    /// Its id.
    pub id: String,
    /// When it was begun (RFC 3339).
    pub created: String,
    /// The public half of its SSH key: type and key, without comment. None until a command has one.
    pub public_key: Option<String>,
    /// The keys that log in beside it; left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<OperatorKey>,
    /// Where its state was moved to; this one is history then.
    #[serde(skip)]
    pub moved_to: Option<String>,
}

impl FleetRow {
    pub(super) fn hash(&self) -> i64 {
        let Self { id, created, public_key, moved_to, keys: _ } = self;
        let columns = [Some(id.as_str()), Some(created), public_key.as_deref(), moved_to.as_deref()];
        // rows of before there were other keys keep their hashes
        let keys = self.keys_text();
        seal::hash(columns.into_iter().chain(keys.as_deref().map(Some)))
    }

    fn keys_text(&self) -> Option<String> {
        (!self.keys.is_empty()).then(|| serde_json::to_string(&self.keys).unwrap_or_default())
    }

    /// Changes nothing where there is a fleet.
    pub(super) fn insert(&self) -> Statement {
        Statement::new(
            "INSERT INTO fleet (id, created, public_key, keys, hash) SELECT $1, $2, $3, $4, $5
             WHERE NOT EXISTS (SELECT 1 FROM fleet) ON CONFLICT DO NOTHING",
        )
        .bind(self.id.as_str())
        .bind(self.created.as_str())
        .bind(self.public_key.clone())
        .bind(self.keys_text())
        .bind(self.hash())
    }

    fn update(&self) -> Statement {
        Statement::new("UPDATE fleet SET public_key = $2, moved_to = $3, keys = $4, hash = $5 WHERE id = $1")
            .bind(self.id.as_str())
            .bind(self.public_key.clone())
            .bind(self.moved_to.clone())
            .bind(self.keys_text())
            .bind(self.hash())
    }
}

/// Makes a state that of a fleet, where it is of none.
pub(super) async fn begin(database: &Database, fresh: &FleetId, now: &str) -> Result<(), StoreError> {
    if read(database).await?.is_none() {
        let (id, created) = (fresh.to_string(), now.to_owned());
        let row = FleetRow { id, created, public_key: None, keys: Vec::new(), moved_to: None };
        let _ = database.write(&[row.insert()]).await?;
    }
    Ok(())
}

pub(super) async fn read(database: &Database) -> Result<Option<FleetRow>, StoreError> {
    let statement = Statement::new("SELECT id, created, public_key, moved_to, keys, hash FROM fleet");
    let Some(row) = database.row(statement).await? else { return Ok(None) };
    let damaged =
        || StoreError::Damaged { place: database.place.clone(), what: "the entry for the fleet".to_owned() };
    let keys = match database.get::<Option<String>>(&row, "keys")? {
        Some(text) => serde_json::from_str(&text).map_err(|_| damaged())?,
        None => Vec::new(),
    };
    let fleet = FleetRow {
        id: database.get(&row, "id")?,
        created: database.get(&row, "created")?,
        public_key: database.get(&row, "public_key")?,
        moved_to: database.get(&row, "moved_to")?,
        keys,
    };
    if fleet.hash() != database.get::<i64>(&row, "hash")? {
        return Err(damaged());
    }
    Ok(Some(fleet))
}

impl Store {
    /// The fleet's row.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn fleet_row(&self) -> Result<FleetRow, StoreError> {
        let ours = || StoreError::NotOurs { place: self.place().clone() };
        read(self.database()).await?.ok_or_else(ours)
    }

    /// The keys that log in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keys(&self) -> Result<Keys, StoreError> {
        let row = self.fleet_row().await?;
        Ok(Keys { fleet: row.public_key.unwrap_or_default(), others: row.keys })
    }

    /// Writes down the public half of the fleet's key, if none is written down yet; the one that counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_public_key(&self, public_key: &str) -> Result<String, StoreError> {
        let mut row = self.fleet_row().await?;
        if let Some(kept) = row.public_key {
            return Ok(kept);
        }
        row.public_key = Some(public_key.to_owned());
        let first = Statement::new(
            "UPDATE fleet SET public_key = $2, hash = $3 WHERE id = $1 AND public_key IS NULL AND moved_to IS NULL",
        );
        let first = first.bind(row.id.as_str()).bind(public_key).bind(row.hash()).guard();
        match self.database().write(&[first]).await? {
            Written::Done(_) => Ok(public_key.to_owned()),
            Written::Refused => Ok(self.fleet_row().await?.public_key.unwrap_or_default()),
        }
    }
}

impl Lease {
    /// Writes down which keys log in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_keys(&self, keys: &Keys) -> Result<(), StoreError> {
        let mut row = self.store.fleet_row().await?;
        row.public_key = Some(keys.fleet.clone());
        row.keys = keys.others.clone();
        self.write([row.update()]).await?;
        Ok(())
    }

    /// Writes down where the fleet's state was moved to: nobody uses this one any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn move_to(&self, place: &str) -> Result<(), StoreError> {
        let mut row = self.store.fleet_row().await?;
        row.moved_to = Some(place.to_owned());
        self.write([row.update()]).await?;
        Ok(())
    }
}
