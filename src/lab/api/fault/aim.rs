//! Which requests a fault is for.

use axum::http::Method;

use super::fields::{Fields, WrongFault, wrong};
use super::route::Route;
use crate::lab::api::label::{Labels, Selector};

/// What a request must have; all of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Aim {
    route: Route,
    /// The name of its project.
    project: Option<String>,
    /// What the labels in its body, or of the resource in its path, must fulfil.
    label: Option<Selector>,
}

/// What a request has.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) method: &'a Method,
    /// Below `/v1`.
    pub(super) path: &'a str,
    pub(super) project: &'a str,
    /// Of its body, and of the resource in its path.
    pub(super) labels: Vec<Labels>,
}

impl Aim {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, WrongFault> {
        let route = fields.take("route")?.unwrap_or_default();
        let project = fields.take("project")?;
        let label = match fields.take::<String>("label")? {
            None => None,
            Some(text) => Some(Selector::parse(&text).map_err(|_| wrong("label", &"it is no selector"))?),
        };
        Ok(Self { route, project, label })
    }

    /// Whether a request must be looked into to know whether it is meant.
    pub(super) fn asks_for_labels(&self) -> bool {
        self.label.is_some()
    }

    /// Whether a request is meant, as far as its labels are not looked at.
    pub(super) fn is_near(&self, subject: &Subject<'_>) -> bool {
        self.route.matches(subject.method, subject.path)
            && self.project.as_ref().is_none_or(|wanted| wanted == subject.project)
    }

    /// Whether a near request is meant, by its labels.
    pub(super) fn selects(&self, subject: &Subject<'_>) -> bool {
        let label = self.label.as_ref();
        label.is_none_or(|label| subject.labels.iter().any(|labels| label.matches(labels)))
    }
}
