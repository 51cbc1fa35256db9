//! What all kinds of resource have in common: they are listed, looked at and renamed in the same way.

use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Cloud;
use super::action;
use super::body::Body;
use super::error::ApiError;
use super::meta::Meta;
use super::project::Project;
use super::query::Query;
use super::table::{Row, Table};
use super::world::World;

/// A kind of resource that a client names, labels and lists.
pub(crate) trait Resource: Row + Send + Sync + 'static {
    /// The JSON key of a list, and the path: `servers`.
    const PLURAL: &'static str;
    /// Whether paths may have the name for the id.
    const PATH_TAKES_NAME: bool = false;
    /// Whether a second one of the same name is refused.
    const NAME_IS_UNIQUE: bool = true;

    /// All of the kind.
    fn table(world: &World) -> &Table<Self>
    where
        Self: Sized;
    /// The same, to change it.
    fn table_mut(world: &mut World) -> &mut Table<Self>
    where
        Self: Sized;
    /// Id, name, labels and time of birth.
    fn meta(&self) -> &Meta;
    /// The same, to change it.
    fn meta_mut(&mut self) -> &mut Meta;
    /// Refuses a name that the kind cannot have.
    fn check_name(_name: &str) -> Result<(), ApiError> {
        Ok(())
    }
    /// Whether a list shows it, by the parameters that only this kind has.
    fn is_wanted(&self, _world: &World, _query: &Query) -> bool {
        true
    }
    /// Takes the fields of an update that only this kind has.
    fn amend(&mut self, _body: &Body) -> Result<(), ApiError> {
        Ok(())
    }
    /// As the API shows it.
    fn view(&self, world: &World) -> Value;
}

/// `GET` of all and of one, and the actions; the kinds add `POST` and `DELETE`, and `PUT` with [`update`].
pub(crate) fn routes<T: Resource>() -> Router<Cloud> {
    look_ups::<T>().merge(action::routes_of::<T>())
}

/// The same for a kind whose actions nobody can ask for.
pub(crate) fn look_ups<T: Resource>() -> Router<Cloud> {
    let all = format!("/v1/{}", T::PLURAL);
    Router::new().route(&all, get(list::<T>)).route(&format!("{all}/{{id}}"), get(one::<T>))
}

async fn list<T: Resource>(Project(cloud): Project, query: Query) -> Result<Response, ApiError> {
    cloud.read(|world| query.list::<T>(world))
}

async fn one<T: Resource>(Project(cloud): Project, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| answer::<T>(world, T::table(world).resolve(&id)?))
}

/// A new name, new labels, and what [`Resource::amend`] takes.
pub(crate) async fn update<T: Resource>(
    Project(cloud): Project,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (name, labels) = (body.new_name()?, body.labels()?);
    name.as_deref().map(T::check_name).transpose()?;
    cloud
        .change(|world| {
            let id = T::table(world).resolve(&id)?;
            if let Some(name) = &name {
                T::table(world).check_name_free(name, Some(id))?;
            }
            let mut row = T::table(world).find(id)?.clone();
            row.amend(&body)?;
            let meta = row.meta_mut();
            meta.name = name.unwrap_or_else(|| meta.name.clone());
            meta.labels = labels.unwrap_or_else(|| meta.labels.clone());
            *T::table_mut(world).find_mut(id)? = row;
            answer::<T>(world, id)
        })
        .await
}

/// One resource under the key of its kind.
pub(crate) fn answer<T: Resource>(world: &World, id: u64) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({T::KIND: T::table(world).find(id)?.view(world)})))
}
