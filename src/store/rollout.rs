//! Rollouts: how each change of the fleet goes about, and how far it got.
//!
//! A row for the rollout, and one for each host, so that what happens to one host is written without the others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::database::Statement;
use super::{Lease, Store, StoreError, seal};
use crate::model::rollout::{Change, Host, Request, Rollout, RolloutId, Settings, State};

#[cfg(test)]
mod tests;

/// The subject of rollouts: one at a time is begun and driven, by one process.
pub const ROLLOUT: &str = "rollout:";
/// The subject of what is asked of a rollout that another process drives.
pub const ROLLOUT_REQUEST: &str = "rollout-request:";

/// A rollout's row, without its hosts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    change: Change,
    begun: jiff::Timestamp,
    settings: Settings,
    state: State,
}

/// What somebody asks of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it stays until it is heeded"]
pub struct Asked {
    /// What.
    pub request: Request,
    /// When (RFC 3339).
    pub asked: String,
    rollout: RolloutId,
}

/// The rows of a rollout as they are written.
struct Rows {
    head: String,
    hosts: Vec<(String, i64)>,
    seal: i64,
    hash: i64,
}

impl Rows {
    fn of(rollout: &Rollout) -> Result<Self, serde_json::Error> {
        let Rollout { id, change, begun, settings, state, hosts } = rollout;
        let (change, settings) = (change.clone(), settings.clone());
        let head = serde_json::to_string(&Head { change, begun: *begun, settings, state: *state })?;
        let row = |(place, host): (usize, &Host)| {
            let text = serde_json::to_string(host)?;
            let hash = host_hash(id.as_str(), number(place), &text);
            Ok((text, hash))
        };
        let hosts: Vec<(String, i64)> = hosts.iter().enumerate().map(row).collect::<Result<_, _>>()?;
        let seal = hosts.iter().fold(0, |all, (_, hash)| all ^ hash);
        let hash = head_hash(id.as_str(), &head, seal);
        Ok(Self { head, hosts, seal, hash })
    }

    fn put_head(&self, id: &RolloutId) -> Statement {
        Statement::new(
            "INSERT INTO rollout (id, head, hosts, hash) VALUES ($1, $2, $3, $4)
             ON CONFLICT (id) DO UPDATE SET head = excluded.head, hosts = excluded.hosts, hash = excluded.hash",
        )
        .bind(id.as_str())
        .bind(self.head.as_str())
        .bind(self.seal)
        .bind(self.hash)
    }

    /// The hosts whose rows are not as they were.
    fn put_hosts(&self, id: &RolloutId, before: Option<&Self>) -> impl Iterator<Item = Statement> {
        let was = move |place: usize| before.and_then(|rows| rows.hosts.get(place)).map(|(_, hash)| *hash);
        let changed =
            self.hosts.iter().enumerate().filter(move |(place, (_, hash))| was(*place) != Some(*hash));
        changed.map(move |(place, (host, hash))| {
            Statement::new(
                "INSERT INTO rollout_host (rollout, place, host, hash) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (rollout, place) DO UPDATE SET host = excluded.host, hash = excluded.hash",
            )
            .bind(id.as_str())
            .bind(number(place))
            .bind(host.as_str())
            .bind(*hash)
        })
    }
}

impl Lease {
    /// Writes down a rollout that begins, or, given what it was `before`, what has changed in it. The lease is that of [`ROLLOUT`].
    ///
    /// # Errors
    /// [`StoreError`]; nothing may be done on the strength of the change then. Also where the state has not what it
    /// was `before`.
    pub async fn save_rollout(&self, before: Option<&Rollout>, rollout: &Rollout) -> Result<(), StoreError> {
        let rows = |rollout| Rows::of(rollout).map_err(|source| self.store.rollout_error(source));
        let before = before.map(rows).transpose()?;
        let after = rows(rollout)?;
        let mut all = vec![reseal(&rollout.id, before.as_ref().map_or(0, |rows| rows.hash), after.hash)];
        all.push(after.put_head(&rollout.id));
        all.extend(after.put_hosts(&rollout.id, before.as_ref()));
        self.write(all).await?;
        Ok(())
    }

    /// Asks something of a rollout, in place of what was asked before. The lease is that of [`ROLLOUT_REQUEST`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ask(&self, rollout: &RolloutId, request: Request, now: &str) -> Result<(), StoreError> {
        let ask = Statement::new(
            "INSERT INTO rollout_request (rollout, request, asked, hash) VALUES ($1, $2, $3, $4)
             ON CONFLICT (rollout) DO UPDATE SET request = excluded.request, asked = excluded.asked,
             hash = excluded.hash",
        );
        let hash = request_hash(rollout.as_str(), request.word(), now);
        self.write([ask.bind(rollout.as_str()).bind(request.word()).bind(now).bind(hash)]).await?;
        Ok(())
    }

    /// Strikes out what was asked, once the rollout that heeded it is saved. What was asked since stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn heeded(&self, asked: Asked) -> Result<(), StoreError> {
        let strike = Statement::new("DELETE FROM rollout_request WHERE rollout = $1 AND hash = $2");
        let hash = request_hash(asked.rollout.as_str(), asked.request.word(), &asked.asked);
        self.write([strike.bind(asked.rollout.as_str()).bind(hash)]).await?;
        Ok(())
    }
}

impl Store {
    /// The rollout that was begun last, if there ever was one.
    ///
    /// # Errors
    /// [`StoreError`], also where something of it is not as it was written, or missing.
    pub async fn newest_rollout(&self) -> Result<Option<Rollout>, StoreError> {
        self.rollouts().await.map(|mut rollouts| rollouts.pop())
    }

    /// All rollouts, the oldest first.
    ///
    /// # Errors
    /// As [`Store::newest_rollout`].
    pub async fn rollouts(&self) -> Result<Vec<Rollout>, StoreError> {
        let all = "SELECT lease.rollouts, rollout.id, rollout.head, rollout.hosts, rollout.hash,
                   rollout_host.place, rollout_host.host, rollout_host.hash AS host_hash
             FROM (SELECT CAST($1 AS TEXT) AS sealed) AS asked
             LEFT JOIN lease ON lease.subject = asked.sealed
             LEFT JOIN rollout ON TRUE
             LEFT JOIN rollout_host ON rollout_host.rollout = rollout.id
             ORDER BY rollout.seq, rollout_host.place";
        let database = self.database();
        let (mut sealed, mut heads) = (0, Vec::<(Rollout, i64)>::new());
        let mut hashes = BTreeMap::new();
        for row in database.rows(Statement::new(all).bind(ROLLOUT)).await? {
            sealed = database.get::<Option<i64>>(&row, "rollouts")?.unwrap_or_default();
            let Some(id) = database.get::<Option<String>>(&row, "id")? else { continue };
            if !hashes.contains_key(&id) {
                let (head, hosts): (String, i64) =
                    (database.get(&row, "head")?, database.get(&row, "hosts")?);
                let hash = database.get::<i64>(&row, "hash")?;
                if head_hash(&id, &head, hosts) != hash {
                    return Err(self.damaged(format!("the rollout {id}")));
                }
                hashes.insert(id.clone(), hash);
                heads.push((self.read_head(&id, &head)?, hosts));
            }
            let Some(place) = database.get::<Option<i64>>(&row, "place")? else { continue };
            let (host, hash): (String, i64) = (database.get(&row, "host")?, database.get(&row, "host_hash")?);
            let Some((rollout, seal)) = heads.last_mut() else { continue };
            if host_hash(&id, place, &host) != hash {
                return Err(self.damaged(format!("a host of the rollout {id}")));
            }
            *seal ^= hash;
            rollout.hosts.push(serde_json::from_str(&host).map_err(|source| self.rollout_error(source))?);
        }
        if hashes.values().fold(0, |all, hash| all ^ hash) != sealed {
            return Err(self.damaged("the list of rollouts".to_owned()));
        }
        match heads.iter().find(|(_, seal)| *seal != 0) {
            Some((rollout, _)) => Err(self.damaged(format!("the hosts of the rollout {}", rollout.id))),
            None => Ok(heads.into_iter().map(|(rollout, _)| rollout).collect()),
        }
    }

    /// What is asked of a rollout and was not heeded yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn asked(&self, rollout: &RolloutId) -> Result<Option<Asked>, StoreError> {
        let database = self.database();
        let statement = Statement::new("SELECT request, asked, hash FROM rollout_request WHERE rollout = $1");
        let Some(row) = database.row(statement.bind(rollout.as_str())).await? else { return Ok(None) };
        let (word, asked): (String, String) = (database.get(&row, "request")?, database.get(&row, "asked")?);
        let known = [Request::Pause, Request::Resume, Request::Abort].into_iter().find(|r| r.word() == word);
        let whole = request_hash(rollout.as_str(), &word, &asked) == database.get::<i64>(&row, "hash")?;
        match known.filter(|_| whole) {
            Some(request) => Ok(Some(Asked { request, asked, rollout: rollout.clone() })),
            None => Err(self.damaged(format!("what is asked of the rollout {rollout}"))),
        }
    }

    fn read_head(&self, id: &str, head: &str) -> Result<Rollout, StoreError> {
        let head: Head = serde_json::from_str(head).map_err(|source| self.rollout_error(source))?;
        let Head { change, begun, settings, state } = head;
        Ok(Rollout {
            id: RolloutId::stored(id.to_owned()),
            change,
            begun,
            settings,
            state,
            hosts: Vec::new(),
        })
    }

    fn rollout_error(&self, source: serde_json::Error) -> StoreError {
        StoreError::Row { place: self.place().clone(), what: "a rollout".to_owned(), source }
    }

    /// The statements that put these rollouts in place of all that there are. The first ones touch leases.
    pub(super) fn replace_rollouts(&self, rollouts: &[Rollout]) -> Result<Vec<Statement>, StoreError> {
        let mut all = vec![Statement::new("UPDATE lease SET rollouts = 0")];
        let (mut seal, mut puts) = (0, Vec::new());
        for rollout in rollouts {
            let rows = Rows::of(rollout).map_err(|source| self.rollout_error(source))?;
            seal ^= rows.hash;
            puts.push(rows.put_head(&rollout.id));
            puts.extend(rows.put_hosts(&rollout.id, None));
        }
        if !rollouts.is_empty() {
            let sealed = Statement::new(
                "INSERT INTO lease (subject, fence, expires, rollouts) VALUES ($1, 0, 0, $2)
                 ON CONFLICT (subject) DO UPDATE SET rollouts = excluded.rollouts",
            );
            all.push(sealed.bind(ROLLOUT).bind(seal));
        }
        let clear = ["DELETE FROM rollout_request", "DELETE FROM rollout_host", "DELETE FROM rollout"];
        all.extend(clear.map(Statement::new));
        all.extend(puts);
        Ok(all)
    }
}

/// Puts a rollout's hash into the seal in place of what it was before; nothing where that was done already, and a guard
/// against a rollout that is not what it was thought to be.
fn reseal(id: &RolloutId, before: i64, after: i64) -> Statement {
    Statement::new(
        "UPDATE lease SET rollouts = CASE WHEN COALESCE((SELECT hash FROM rollout WHERE id = $2), 0) = $3
             THEN (rollouts | $4) - (rollouts & $4) ELSE rollouts END
         WHERE subject = $1 AND COALESCE((SELECT hash FROM rollout WHERE id = $2), 0) IN ($3, $5)",
    )
    .bind(ROLLOUT)
    .bind(id.as_str())
    .bind(before)
    .bind(before ^ after)
    .bind(after)
    .guard()
}

fn head_hash(id: &str, head: &str, hosts: i64) -> i64 {
    seal::hash([id, head, &hosts.to_string()].map(Some))
}

fn host_hash(rollout: &str, place: i64, host: &str) -> i64 {
    seal::hash([rollout, &place.to_string(), host].map(Some))
}

fn request_hash(rollout: &str, request: &str, asked: &str) -> i64 {
    seal::hash([rollout, request, asked].map(Some))
}

fn number(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}
