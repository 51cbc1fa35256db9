//! What to ask Hetzner for: a type, an image, and the locations in the order in which they are tried.

use std::collections::BTreeSet;

use super::{Order, Origin};
use crate::model::image::{BakedImage, Recipe};
use crate::model::instance::InstanceSpec;
use crate::model::observed::{ImageOffer, LocationOffer, Observed, Offer, TypeOffer};
use crate::model::price::Price;
use crate::model::refusal::{Refusal, near};

/// The order for one server, and what it costs in a month at the first location.
pub(super) fn order(
    spec: &InstanceSpec,
    named_locations: &[String],
    seen: &Observed,
) -> Result<(Order, Option<Price>), Refusal> {
    let nothing = Offer::default();
    let offer = seen.offer.as_ref().unwrap_or(&nothing);
    let (kind, locations) = place(offer, spec, named_locations)?;
    let image = match baked(offer, spec, kind) {
        Some(id) => Origin::Baked(id),
        None => Origin::Stock(stock(offer, spec, kind)?),
    };
    let price = locations.first().and_then(|first| {
        let address = offer.ipv4_month.get(first).copied().unwrap_or_default();
        kind.month.get(first).map(|month| *month + address)
    });
    Ok((Order { server_type: kind.name.clone(), image, locations }, price))
}

/// The order for a server with nothing on it but its system, and its type.
pub(super) fn stock_order<'a>(
    spec: &InstanceSpec,
    named_locations: &[String],
    seen: &'a Observed,
) -> Result<(Order, &'a TypeOffer), Refusal> {
    let missing = || Refusal::new("nothing is known of what Hetzner offers", "run the command again");
    let offer = seen.offer.as_ref().ok_or_else(missing)?;
    let (kind, locations) = place(offer, spec, named_locations)?;
    let image = Origin::Stock(stock(offer, spec, kind)?);
    Ok((Order { server_type: kind.name.clone(), image, locations }, kind))
}

/// The type, and the locations in the order in which they are tried.
fn place<'a>(
    offer: &'a Offer,
    spec: &InstanceSpec,
    named_locations: &[String],
) -> Result<(&'a TypeOffer, Vec<String>), Refusal> {
    let kind = find(&offer.types, |t: &TypeOffer| &t.name, &spec.server_type, "server type", "--type")?;
    let mut locations = Vec::new();
    for name in &spec.locations {
        let location = find(&offer.locations, |l: &LocationOffer| &l.name, name, "location", "--location")?;
        if !location.in_eu && !named_locations.contains(name) {
            let hint = format!("if that is meant, name it in clawberth.toml: locations = [\"{name}\"]");
            return Err(Refusal::new(format!("location {name} is outside the EU"), hint));
        }
        if kind.month.contains_key(name) {
            locations.push(name.clone());
        }
    }
    if locations.is_empty() {
        let there: Vec<&str> = kind.month.keys().map(String::as_str).collect();
        let hint =
            format!("it can be had in {}; choose with --location, or another --type", there.join(", "));
        let what = format!("server type {} cannot be had in {}", kind.name, spec.locations.join(", "));
        return Err(Refusal::new(what, hint));
    }
    // what is said to be sold out goes last, not away: the word has been wrong in both directions
    locations.sort_by_key(|name| kind.sold_out.contains(name));
    Ok((kind, locations))
}

/// The newest image of the fleet's own from which such a server can be born.
fn baked(offer: &Offer, spec: &InstanceSpec, kind: &TypeOffer) -> Option<u64> {
    let recipe = Recipe::new(&spec.release, &spec.image, &offer.set_up);
    let suits = |image: &&BakedImage| image.suits(&recipe, &kind.architecture, kind.disk);
    Some(offer.baked.iter().rfind(suits)?.id)
}

fn stock(offer: &Offer, spec: &InstanceSpec, kind: &TypeOffer) -> Result<u64, Refusal> {
    let fitting: Vec<&ImageOffer> =
        offer.images.iter().filter(|i| i.architecture == kind.architecture).collect();
    match fitting.iter().find(|image| image.name == spec.image) {
        Some(image) => Ok(image.id),
        None => {
            let names: BTreeSet<&str> = fitting.iter().map(|image| image.name.as_str()).collect();
            Err(unknown("image", &spec.image, names, "`image` in clawberth.toml"))
        }
    }
}

fn find<'a, T>(
    all: &'a [T],
    name_of: impl Fn(&T) -> &String,
    wanted: &str,
    what: &str,
    flag: &str,
) -> Result<&'a T, Refusal> {
    all.iter()
        .find(|item| name_of(item) == wanted)
        .ok_or_else(|| unknown(what, wanted, all.iter().map(|item| name_of(item).as_str()), flag))
}

fn unknown<'a>(what: &str, wanted: &str, all: impl IntoIterator<Item = &'a str>, flag: &str) -> Refusal {
    let all: Vec<&str> = all.into_iter().collect();
    let hint = match near(wanted, all.iter().copied()).as_slice() {
        [] => format!("choose with {flag}: {}", all.join(", ")),
        close => format!("did you mean {}?", close.join(" or ")),
    };
    Refusal::new(format!("unknown {what} {wanted:?}"), hint)
}
