//! `GET /servers/{id}/metrics`. The lab measures nothing: all values are noise.

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Cloud;
use super::error::ApiError;
use super::path::Id;
use super::project::Project;
use super::query::Query;

/// How many samples there are if nobody says how far apart they are.
const USUAL: i64 = 200;
/// How many there are at most: then they are farther apart.
const MOST: i64 = 500;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    series: Vec<&'static str>,
    start: Timestamp,
    end: Timestamp,
    /// Seconds.
    step: i64,
}

impl Wish {
    fn read(query: &Query) -> Result<Self, ApiError> {
        let (start, end) = (time(query, "start")?, time(query, "end")?);
        let period = end.as_second() - start.as_second();
        if period <= 0 {
            return Err(ApiError::field("end", "must be after start"));
        }
        let step = match query.first("step").map(str::parse::<f64>) {
            None => (period / USUAL).max(1),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a step of a fraction of a second is one second"
            )]
            Some(Ok(step)) if step > 0.0 => step as i64,
            Some(_) => return Err(ApiError::field("step", "must be a number greater than 0")),
        };
        Ok(Self { series: series(query)?, start, end, step: step.max((period + MOST - 1) / MOST).max(1) })
    }

    fn answer(&self) -> Value {
        let times = (0..MOST).map(|i| self.start.as_second().saturating_add(i.saturating_mul(self.step)));
        let values: Vec<Value> = times
            .take_while(|time| *time < self.end.as_second())
            .map(|time| json!([time, noise(time)]))
            .collect();
        let series: Map<String, Value> =
            self.series.iter().map(|name| ((*name).to_owned(), json!({"values": values}))).collect();
        json!({"start": self.start, "end": self.end, "step": self.step, "time_series": series})
    }
}

/// 0.00 to 10.23, always the same for a time. Not 0 throughout: hcloud 1.39 panics when it draws a flat line.
fn noise(time: i64) -> String {
    let noise = time.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    format!("{}.{:02}", noise / 100, noise % 100)
}

fn time(query: &Query, name: &str) -> Result<Timestamp, ApiError> {
    let text = query.first(name).ok_or_else(|| ApiError::field(name, "is required"))?;
    text.parse().map_err(|_| ApiError::field(name, "is not a time as RFC 3339 has it"))
}

/// The time series of all types, which come repeated or joined by commas.
fn series(query: &Query) -> Result<Vec<&'static str>, ApiError> {
    let mut series = Vec::new();
    for kind in query.all("type").flat_map(|kinds| kinds.split(',')) {
        series.extend_from_slice(match kind {
            "cpu" => &["cpu"],
            "disk" => {
                &["disk.0.iops.read", "disk.0.iops.write", "disk.0.bandwidth.read", "disk.0.bandwidth.write"]
            }
            "network" => &[
                "network.0.pps.in",
                "network.0.pps.out",
                "network.0.bandwidth.in",
                "network.0.bandwidth.out",
            ],
            _ => return Err(ApiError::field("type", "must be cpu, disk or network")),
        });
    }
    if series.is_empty() { Err(ApiError::field("type", "is required")) } else { Ok(series) }
}

pub(crate) fn routes() -> Router<Cloud> {
    Router::new().route("/v1/servers/{id}/metrics", get(metrics))
}

async fn metrics(
    Project(cloud): Project,
    Path(Id(id)): Path<Id>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let wish = Wish::read(&query)?;
    cloud.read(|world| {
        world.servers.find(id)?;
        Ok(Json(json!({"metrics": wish.answer()})))
    })
}
