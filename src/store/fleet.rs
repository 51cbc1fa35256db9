//! The fleet's own row: whose state this is.

use serde::{Deserialize, Serialize};

use super::database::{Database, Statement, Written};
use super::{Lease, Store, StoreError, seal};
use crate::model::fleet::FleetId;

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
    /// Where its state was moved to; this one is history then.
    #[serde(skip)]
    pub moved_to: Option<String>,
}

impl FleetRow {
    pub(super) fn hash(&self) -> i64 {
        let Self { id, created, public_key, moved_to } = self;
        seal::hash([Some(id.as_str()), Some(created), public_key.as_deref(), moved_to.as_deref()])
    }

    /// Changes nothing where there is a fleet.
    pub(super) fn insert(&self) -> Statement {
        Statement::new(
            "INSERT INTO fleet (id, created, public_key, hash) SELECT $1, $2, $3, $4
             WHERE NOT EXISTS (SELECT 1 FROM fleet) ON CONFLICT DO NOTHING",
        )
        .bind(self.id.as_str())
        .bind(self.created.as_str())
        .bind(self.public_key.clone())
        .bind(self.hash())
    }

    fn update(&self) -> Statement {
        Statement::new("UPDATE fleet SET public_key = $2, moved_to = $3, hash = $4 WHERE id = $1")
            .bind(self.id.as_str())
            .bind(self.public_key.clone())
            .bind(self.moved_to.clone())
            .bind(self.hash())
    }
}

/// Makes a state that of a fleet, where it is of none.
pub(super) async fn begin(database: &Database, fresh: &FleetId, now: &str) -> Result<(), StoreError> {
    if read(database).await?.is_none() {
        let (id, created) = (fresh.to_string(), now.to_owned());
        let row = FleetRow { id, created, public_key: None, moved_to: None };
        let _ = database.write(&[row.insert()]).await?;
    }
    Ok(())
}

pub(super) async fn read(database: &Database) -> Result<Option<FleetRow>, StoreError> {
    let statement = Statement::new("SELECT id, created, public_key, moved_to, hash FROM fleet");
    let Some(row) = database.row(statement).await? else { return Ok(None) };
    let fleet = FleetRow {
        id: database.get(&row, "id")?,
        created: database.get(&row, "created")?,
        public_key: database.get(&row, "public_key")?,
        moved_to: database.get(&row, "moved_to")?,
    };
    if fleet.hash() != database.get::<i64>(&row, "hash")? {
        let what = "the entry for the fleet".to_owned();
        return Err(StoreError::Damaged { place: database.place.clone(), what });
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
