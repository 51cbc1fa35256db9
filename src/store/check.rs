//! Whether the state is whole: the database's own checks, and ours.

use super::database::{Engine, Statement};
use super::{Store, StoreError};
use crate::model::instance::Instance;
use crate::model::rollout::Rollout;

impl Store {
    /// Everything that is wrong, in words; nothing: the state is whole.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be read at all.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut wrong = Vec::new();
        if self.database().engine == Engine::Sqlite {
            wrong.extend(self.structure().await?);
        }
        wrong.extend(self.document().await.err().map(|error| error.to_string()));
        if wrong.is_empty() {
            wrong.extend(contradictions(&self.instances().await?));
            wrong.extend(rivals(&self.rollouts().await?));
        }
        Ok(wrong)
    }

    /// SQLite's checks of its pages, indexes and references. PostgreSQL watches over these by itself.
    async fn structure(&self) -> Result<Vec<String>, StoreError> {
        let database = self.database();
        let mut wrong = Vec::new();
        for row in database
            .rows(Statement::new("SELECT integrity_check AS said FROM pragma_integrity_check"))
            .await?
        {
            let said: String = database.get(&row, "said")?;
            wrong.extend((said != "ok").then_some(said));
        }
        let foreign = "SELECT \"table\" AS child, parent FROM pragma_foreign_key_check";
        for row in database.rows(Statement::new(foreign)).await? {
            let (child, parent): (String, String) =
                (database.get(&row, "child")?, database.get(&row, "parent")?);
            wrong.push(format!("an entry of {child} refers to none of {parent}"));
        }
        Ok(wrong)
    }
}

/// What no sequence of steps leads to.
fn contradictions(instances: &[Instance]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut owners = std::collections::BTreeMap::new();
    for instance in instances {
        if instance.stage == crate::model::instance::Stage::Gone {
            wrong.push(format!("{} is gone and still listed", instance.name));
        }
        let Some(server) = instance.stage.server() else { continue };
        if let Some(other) = owners.insert(server.id, &instance.name) {
            wrong.push(format!("{other} and {} have the same server {}", instance.name, server.id));
        }
    }
    wrong
}

/// Rollouts that began before another one was over.
fn rivals(rollouts: &[Rollout]) -> Vec<String> {
    let later = rollouts.iter().skip(1);
    let pairs = rollouts.iter().zip(later).filter(|(rollout, _)| !rollout.is_over());
    pairs
        .map(|(first, then)| format!("the rollout {} is not over and {} was begun", first.id, then.id))
        .collect()
}
