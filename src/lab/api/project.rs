//! Projects: whose token a request carries decides which cloud it sees.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};

use super::Cloud;
use super::error::ApiError;
use super::fault::Encounter;

/// A project of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectKey {
    /// What `lab env --project` calls it.
    pub name: String,
    /// Its API token, 64 characters.
    pub token: String,
}

/// The cloud as the project sees it whose token came with the request.
#[derive(Debug, Clone)]
pub(crate) struct Project(pub(crate) Cloud);

/// The place of a request's project, put there once its token is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Index(pub(crate) usize);

impl FromRequestParts<Cloud> for Project {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, ApiError> {
        let index = parts.extensions.get::<Index>();
        let index = index.ok_or_else(|| ApiError::internal(&anyhow::anyhow!("a route without a token")))?;
        let encounter = parts.extensions.get::<Arc<Encounter>>().cloned();
        Ok(Self(Cloud { encounter, ..cloud.of_project(index.0) }))
    }
}
