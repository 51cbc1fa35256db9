//! Which requests, by method and path: `POST /servers`, `GET /servers/*`, `* /zones/**`.

use std::str::FromStr;

use anyhow::{Result, ensure};
use axum::http::Method;
use serde::Deserialize;

/// A pattern of method and path, the path without `/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Route {
    /// `None`: every one.
    method: Option<Method>,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Is(String),
    Any,
    Rest,
}

impl Default for Route {
    /// Every request.
    fn default() -> Self {
        Self { method: None, segments: vec![Segment::Rest] }
    }
}

impl FromStr for Route {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "* *" {
            return Ok(Self::default());
        }
        let parts = text.split_once(' ').and_then(|(method, path)| Some((method, path.strip_prefix('/')?)));
        let Some((method, path)) = parts else {
            anyhow::bail!("a route is a method and a path, as in `POST /servers`, `GET /servers/*` or `* *`");
        };
        let upper = method.bytes().all(|c| c.is_ascii_uppercase());
        ensure!(method == "*" || upper && !method.is_empty(), "a method is in capitals, or `*`");
        ensure!(!path.starts_with("v1/"), "a path is written without /v1");
        let method = if method == "*" { None } else { Some(method.parse()?) };
        let segments: Vec<Segment> = path.split('/').map(Segment::read).collect();
        let rest = segments.iter().rev().skip(1).any(|segment| *segment == Segment::Rest);
        ensure!(!rest, "`**` is the rest of a path, so nothing can come after it");
        Ok(Self { method, segments })
    }
}

impl TryFrom<String> for Route {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl Segment {
    fn read(text: &str) -> Self {
        match text {
            "*" => Self::Any,
            "**" => Self::Rest,
            word => Self::Is(word.to_owned()),
        }
    }
}

impl Route {
    /// Whether a request is meant; `path` is below `/v1`: `/servers/101`.
    pub(super) fn matches(&self, method: &Method, path: &str) -> bool {
        let mut path = path.trim_start_matches('/').split('/');
        self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self.segments.iter().all(|segment| match segment {
                Segment::Is(word) => path.next() == Some(word),
                Segment::Any => path.next().is_some_and(|part| !part.is_empty()),
                Segment::Rest => path.by_ref().last().is_some(),
            })
            && path.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(route: &str, request: &str) -> bool {
        let (method, path) = request.split_once(' ').unwrap();
        route.parse::<Route>().unwrap().matches(&method.parse().unwrap(), path)
    }

    #[test]
    fn a_star_is_one_segment_and_two_are_the_rest() {
        for (route, request) in [
            ("POST /servers", "POST /servers"),
            ("* /servers", "DELETE /servers"),
            ("GET /servers/*", "GET /servers/101"),
            ("POST /servers/*/actions/poweron", "POST /servers/7/actions/poweron"),
            ("POST /servers/**", "POST /servers/7/actions/poweron"),
            ("* *", "GET /servers/7/actions"),
            ("GET /*", "GET /zones"),
            ("GET /**", "GET /zones/1"),
        ] {
            assert!(matches(route, request), "{route} should match {request}");
        }
        for (route, request) in [
            ("POST /servers", "GET /servers"),
            ("POST /servers", "POST /servers/7/actions/poweron"),
            ("GET /servers/*", "GET /servers"),
            ("GET /servers/*", "GET /servers/"),
            ("GET /servers/*", "GET /servers/7/actions"),
            ("POST /servers/**", "POST /servers"),
            ("GET /*", "GET /zones/1"),
        ] {
            assert!(!matches(route, request), "{route} should not match {request}");
        }
    }

    #[test]
    fn what_is_no_route_is_refused() {
        for route in ["", "POST", "/servers", "post /servers", "POST servers", "GET /v1/servers", "GET /**/7"]
        {
            assert!(route.parse::<Route>().is_err(), "{route:?} should be refused");
        }
    }
}
