//! The query string, and lists cut into pages by it.

use std::convert::Infallible;

use axum::Json;
use axum::extract::{FromRequestParts, Query as Pairs};
use axum::http::HeaderValue;
use axum::http::header::{HOST, LINK};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::label::Selector;
use super::meta::Meta;
use super::resource::Resource;
use super::sort::sort;
use super::world::World;

const PER_PAGE: usize = 25;
const PER_PAGE_MAX: usize = 50;

/// The parameters of a request, in order; unknown ones are ignored, as the API does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
    /// `http://HOST/v1/servers`, for the `Link` header.
    address: String,
    /// The parameters but for the page, as they came: `&name=a`.
    filters: String,
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let pairs = Pairs::try_from_uri(&parts.uri).map(|Pairs(pairs)| pairs).unwrap_or_default();
        let host = parts.headers.get(HOST).and_then(|h| h.to_str().ok()).unwrap_or("localhost");
        let address = format!("http://{host}{}", parts.uri.path());
        let filters = filters(parts.uri.query().unwrap_or_default());
        Ok(Self { pairs, address, filters })
    }
}

fn filters(query: &str) -> String {
    let of_page = |pair: &&str| pair.starts_with("page=") || pair.starts_with("per_page=") || pair.is_empty();
    query.split('&').filter(|pair| !of_page(pair)).map(|pair| format!("&{pair}")).collect()
}

impl Query {
    /// The first value of a parameter; an empty one counts as none.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next().filter(|v| !v.is_empty())
    }

    /// All values of a repeated parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The value of a parameter that comes once.
    fn only(&self, name: &str) -> Option<&str> {
        self.first(name).filter(|_| self.all(name).nth(1).is_none())
    }

    /// Whether a repeated parameter allows a value: it is absent or one of its values.
    pub(crate) fn allows(&self, name: &str, value: &str) -> bool {
        self.first(name).is_none() || self.all(name).any(|v| v == value)
    }

    /// All values of a repeated parameter that must be numbers.
    pub(crate) fn ids(&self, name: &str) -> Result<Vec<u64>, ApiError> {
        self.all(name).map(|v| v.parse().map_err(|_| ApiError::field(name, "is not a number"))).collect()
    }

    fn number(&self, name: &str, default: usize) -> Result<usize, ApiError> {
        match self.first(name).map(str::parse) {
            None => Ok(default),
            Some(Ok(n)) if n > 0 => Ok(n),
            Some(_) => Err(ApiError::field(name, "must be a number greater than 0")),
        }
    }

    fn page(&self, per_page_max: usize) -> Result<(usize, usize), ApiError> {
        let per_page = self.number("per_page", PER_PAGE)?.min(per_page_max);
        Ok((self.number("page", 1)?, per_page))
    }

    /// One page of `items`, which are already filtered and ordered, under the JSON key `plural`.
    pub(crate) fn answer<T>(
        &self,
        plural: &str,
        items: &[T],
        view: impl Fn(&T) -> Value,
    ) -> Result<Response, ApiError> {
        self.answer_page(PER_PAGE_MAX, plural, items, view, [])
    }

    /// The same with so many items on a page, at most.
    pub(crate) fn answer_up_to<T>(
        &self,
        per_page_max: usize,
        plural: &str,
        items: &[T],
        view: impl Fn(&T) -> Value,
    ) -> Result<Response, ApiError> {
        self.answer_page(per_page_max, plural, items, view, [])
    }

    /// The same with more fields beside the list.
    pub(crate) fn answer_with<T, const N: usize>(
        &self,
        plural: &str,
        items: &[T],
        view: impl Fn(&T) -> Value,
        more: [(&str, Value); N],
    ) -> Result<Response, ApiError> {
        self.answer_page(PER_PAGE_MAX, plural, items, view, more)
    }

    fn answer_page<T, const N: usize>(
        &self,
        per_page_max: usize,
        plural: &str,
        items: &[T],
        view: impl Fn(&T) -> Value,
        more: [(&str, Value); N],
    ) -> Result<Response, ApiError> {
        let (page, per_page) = self.page(per_page_max)?;
        let skipped = page.saturating_sub(1).saturating_mul(per_page);
        let shown: Vec<Value> = items.iter().skip(skipped).take(per_page).map(view).collect();
        let last = items.len().div_ceil(per_page).max(1);
        let previous = (page > 1).then(|| page - 1);
        let next = (page < last).then(|| page + 1);
        let meta = json!({"pagination": {
            "page": page, "per_page": per_page, "previous_page": previous, "next_page": next,
            "last_page": last, "total_entries": items.len(),
        }});
        let mut body = Map::from_iter(more.map(|(key, value)| (key.to_owned(), value)));
        body.extend([(plural.to_owned(), Value::Array(shown)), ("meta".to_owned(), meta)]);
        let targets = [("prev", previous), ("next", next), ("last", Some(last))];
        let link = targets
            .iter()
            .filter_map(|(rel, page)| page.map(|page| self.link(rel, page, per_page)))
            .collect::<Vec<_>>()
            .join(", ");
        let mut response = Json(body).into_response();
        // a query may have bytes that no header can have; the list is the same without it
        if let Ok(link) = HeaderValue::try_from(link) {
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }

    fn link(&self, rel: &str, page: usize, per_page: usize) -> String {
        format!("<{}?page={page}&per_page={per_page}{}>; rel=\"{rel}\"", self.address, self.filters)
    }

    /// One page of a kind: filtered, ordered, cut.
    pub(crate) fn list<T: Resource>(&self, world: &World) -> Result<Response, ApiError> {
        let selector = Selector::parse(self.first("label_selector").unwrap_or_default())?;
        let wanted = |row: &&T| {
            self.allows("name", &row.meta().name)
                && selector.matches(&row.meta().labels)
                && row.is_wanted(world, self)
        };
        let table = T::table(world);
        let behind = world.encounter.as_ref().and_then(|encounter| encounter.list_delay());
        let mut rows: Vec<&T> = match (behind, self.only("name")) {
            (Some(behind), _) => table.as_of(behind).into_iter().filter(wanted).collect(),
            (None, Some(name)) => {
                table.all_named(name).into_iter().map(|(_, row)| row).filter(wanted).collect()
            }
            (None, None) => table.iter().map(|(_, row)| row).filter(wanted).collect(),
        };
        sort(&mut rows, &self.orders(), Meta::SORTED_BY, |row, field| row.meta().sort_key(field))?;
        self.answer(T::PLURAL, &rows, |row| row.view(world))
    }

    /// The values of `sort`.
    pub(crate) fn orders(&self) -> Vec<String> {
        self.all("sort").map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Query {
        let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Query {
            pairs,
            address: "http://h/v1/things".to_owned(),
            filters: filters("page=9&label_selector=a%3Db"),
        }
    }

    async fn answer(query: &Query, items: usize) -> (String, Value) {
        let items: Vec<usize> = (1..=items).collect();
        let response = query.answer("things", &items, |i| json!(i)).unwrap();
        let link = response.headers().get(LINK).unwrap().to_str().unwrap().to_owned();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (link, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_page_in_the_middle_knows_its_neighbours() {
        let (link, body) = answer(&query(&[("page", "2"), ("per_page", "2")]), 5).await;
        assert_eq!(body["things"], json!([3, 4]));
        assert_eq!(
            body["meta"]["pagination"],
            json!({"page": 2, "per_page": 2, "previous_page": 1, "next_page": 3, "last_page": 3, "total_entries": 5})
        );
        assert_eq!(
            link,
            "<http://h/v1/things?page=1&per_page=2&label_selector=a%3Db>; rel=\"prev\", <http://h/v1/things?page=3&per_page=2&label_selector=a%3Db>; rel=\"next\", \
             <http://h/v1/things?page=3&per_page=2&label_selector=a%3Db>; rel=\"last\""
        );
    }

    #[tokio::test]
    async fn an_empty_list_is_one_page() {
        let (_, body) = answer(&query(&[]), 0).await;
        assert_eq!(
            body["meta"]["pagination"],
            json!({"page": 1, "per_page": 25, "previous_page": null, "next_page": null, "last_page": 1, "total_entries": 0})
        );
    }

    #[tokio::test]
    async fn a_page_has_at_most_fifty() {
        let (_, body) = answer(&query(&[("per_page", "500")]), 60).await;
        assert_eq!(body["things"].as_array().unwrap().len(), 50);
        let (_, body) = answer(&query(&[("page", "9")]), 60).await;
        assert_eq!(body["things"], json!([]));
    }

    #[test]
    fn page_zero_is_refused() {
        assert!(query(&[("page", "0")]).answer("things", &[1], |i| json!(i)).is_err());
        assert!(query(&[("per_page", "x")]).answer("things", &[1], |i| json!(i)).is_err());
    }
}
