//! Prices, as decimal strings.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Cloud;
use super::catalog::Catalog;
use super::location::Location;
use super::project::Project;
use super::server_type::EU;

/// Value added tax in Germany, percent.
const VAT_PERCENT: u64 = 19;
/// A month of an IPv4 address, in cents.
const IPV4_CENTS: u64 = 50;

/// Bytes a month: 20 TB in Europe, 1 TB elsewhere.
pub(crate) fn included_traffic(location: &str) -> u64 {
    const TB: u64 = 1 << 40;
    if EU.contains(&location) { 20 * TB } else { TB }
}

/// A price of so many cents, as strings with ten decimals as the API has them.
pub(crate) fn monthly(cents: u64) -> Value {
    price(cents * 100_000_000)
}

/// What a month's price is an hour: a month has 730 hours here.
pub(crate) fn hourly(cents: u64) -> Value {
    price(cents * 100_000_000 / 730)
}

/// `net` and `gross` of an amount in 10⁻¹⁰ euro.
fn price(net: u64) -> Value {
    const UNIT: u64 = 10_000_000_000;
    let decimal = |amount: u64| format!("{}.{:010}", amount / UNIT, amount % UNIT);
    json!({"net": decimal(net), "gross": decimal(net * (100 + VAT_PERCENT) / 100)})
}

pub(crate) fn routes() -> Router<Cloud> {
    Router::new().route("/v1/pricing", get(pricing))
}

async fn pricing(Project(cloud): Project) -> Json<Value> {
    cloud.read(|world| Json(json!({"pricing": prices(&world.catalog)})))
}

fn prices(catalog: &Catalog) -> Value {
    let everywhere = |cents: u64| -> Vec<Value> {
        let at = |l: &Location| json!({"location": l.name, "price_hourly": hourly(cents), "price_monthly": monthly(cents)});
        catalog.locations.iter().map(at).collect()
    };
    let monthly_only = |cents: u64| -> Vec<Value> {
        let at = |l: &Location| json!({"location": l.name, "price_monthly": monthly(cents)});
        catalog.locations.iter().map(at).collect()
    };
    let server_types: Vec<Value> = catalog
        .server_types
        .iter()
        .map(|t| json!({"id": t.id, "name": t.name, "prices": t.prices()}))
        .collect();
    json!({
        "currency": "EUR",
        "vat_rate": format!("{VAT_PERCENT}.000000"),
        "primary_ips": [
            {"type": "ipv4", "prices": everywhere(IPV4_CENTS)},
            {"type": "ipv6", "prices": everywhere(0)},
        ],
        "floating_ips": [
            {"type": "ipv4", "prices": monthly_only(300)},
            {"type": "ipv6", "prices": monthly_only(100)},
        ],
        "floating_ip": {"price_monthly": monthly(300)},
        "image": {"price_per_gb_month": price(110_000_000)},
        "volume": {"price_per_gb_month": price(440_000_000)},
        "server_backup": {"percentage": "20.0000000000"},
        "server_types": server_types,
        "load_balancer_types": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_decimal_strings() {
        assert_eq!(monthly(549), json!({"net": "5.4900000000", "gross": "6.5331000000"}));
        assert_eq!(hourly(730)["net"], "0.0100000000");
    }
}
