//! The plans that make an image of the fleet's own, and remove those that are of no use any more.

use jiff::Timestamp;

use super::order::stock_order;
use super::provision::common;
use super::{FleetStep, ImagePlan, ImageStep, Plan};
use crate::model::admin::AdminNetworks;
use crate::model::image::{BakedImage, Recipe, Use, uses};
use crate::model::instance::InstanceSpec;
use crate::model::observed::Observed;
use crate::model::refusal::Refusal;

/// What image is wanted, and what there is of the fleet's own.
#[derive(Clone, Debug)]
pub struct Baking<'a> {
    /// The server that becomes it: release, image of Hetzner's, type, locations.
    pub spec: InstanceSpec,
    /// The images there are.
    pub images: Vec<BakedImage>,
    /// From where SSH is allowed.
    pub admin: &'a AdminNetworks,
    /// The fleet's own key.
    pub fleet_key: &'a str,
    /// Locations that the operator named in the configuration; others must be in the EU.
    pub named_locations: &'a [String],
    /// What time it is.
    pub now: Timestamp,
}

/// Decides what is to be done so that there is such an image, and no server that was to become one.
///
/// # Errors
/// [`Refusal`] where what is wished for cannot be had.
pub fn bake(wish: Baking<'_>, seen: &Observed) -> Result<Plan, Refusal> {
    let mut plan = Plan::default();
    let Baking { spec, images, admin, fleet_key, named_locations, now } = wish;
    let (order, kind) = stock_order(&spec, named_locations, seen)?;
    let set_up = seen.offer.as_ref().map(|offer| offer.set_up.as_str()).unwrap_or_default();
    let recipe = Recipe::new(&spec.release, &spec.image, set_up);
    let left: Vec<u64> = seen.strays.iter().filter(|server| server.is_builder()).map(|s| s.id).collect();
    let mut there = uses(images, set_up, now).into_iter();
    let there = there.rfind(|(image, verdict)| {
        image.suits(&recipe, &kind.architecture, kind.disk) && matches!(verdict, Use::Fits | Use::Making)
    });
    let mut steps = Vec::new();
    match there {
        Some((image, Use::Making)) => steps.push(ImageStep::AwaitImage(image.id)),
        Some(_) => {}
        None => {
            plan = common(admin, fleet_key, seen);
            // changed admin networks are for a deploy to bring to every host
            plan.after.clear();
            if !left.is_empty() {
                steps.push(ImageStep::RemoveBuilder(left.clone()));
            }
            steps.extend([
                ImageStep::CreateBuilder(order),
                ImageStep::TrustBuilder,
                ImageStep::FillBuilder,
                ImageStep::ScrubBuilder,
                ImageStep::ProveBuilder,
                ImageStep::StopBuilder,
                ImageStep::TakeImage,
                ImageStep::RemoveBuilder(Vec::new()),
            ]);
        }
    }
    // what became of it is there, or will be
    if !steps.contains(&ImageStep::TakeImage) && !left.is_empty() {
        steps.push(ImageStep::RemoveBuilder(left));
    }
    plan.image = (!steps.is_empty()).then_some(ImagePlan { spec, recipe, steps });
    Ok(plan)
}

/// Decides which images go: those that are of no use any more, or all.
pub fn prune(images: Vec<BakedImage>, all: bool, set_up: &str, now: Timestamp) -> Plan {
    let goes = |verdict: Use| match verdict {
        // who makes it still needs it
        Use::Fits | Use::Making => all,
        Use::Old | Use::OtherSetUp | Use::Superseded => true,
    };
    let ids: Vec<u64> = uses(images, set_up, now)
        .into_iter()
        .filter(|(_, verdict)| goes(*verdict))
        .map(|(image, _)| image.id)
        .collect();
    let before = if ids.is_empty() { Vec::new() } else { vec![FleetStep::DeleteSnapshots(ids)] };
    Plan { before, ..Plan::default() }
}

#[cfg(test)]
mod tests {
    use super::super::provision::tests::{admin, cloud_server, instance, offer, with_common};
    use super::*;
    use crate::model::image::BUILDER;
    use crate::model::image::tests::image;
    use crate::model::instance::Stage;

    const KEY: &str = "ssh-ed25519 AAAA";
    const NOW: &str = "2026-11-30T12:00:00Z";

    fn planned(images: Vec<BakedImage>, seen: &Observed) -> Plan {
        let wish = Baking {
            spec: instance(Stage::Planned).spec,
            images,
            admin: &admin(),
            fleet_key: KEY,
            named_locations: &[],
            now: NOW.parse().unwrap(),
        };
        bake(wish, seen).unwrap()
    }

    fn words(plan: &Plan) -> Vec<&'static str> {
        let before = plan.before.iter().map(FleetStep::word);
        before.chain(plan.image.iter().flat_map(|image| &image.steps).map(ImageStep::word)).collect()
    }

    fn with_a_builder() -> Observed {
        let mut seen = with_common();
        let mut builder = cloud_server(9);
        builder.labels.insert(BUILDER.into(), "2026.9.6".into());
        seen.strays = vec![cloud_server(8), builder];
        seen
    }

    const ALL: [&str; 8] = [
        "create-builder",
        "trust-builder",
        "fill-builder",
        "scrub-builder",
        "prove-builder",
        "stop-builder",
        "take-image",
        "remove-builder",
    ];

    #[test]
    fn an_image_is_made_of_a_server_that_does_not_stay() {
        assert_eq!(words(&planned(Vec::new(), &with_common())), ALL);
        let seen = Observed { offer: Some(offer()), ..Observed::default() };
        let expected = [["create-ssh-key", "create-firewall"].as_slice(), &ALL].concat();
        assert_eq!(words(&planned(Vec::new(), &seen)), expected);
    }

    #[test]
    fn where_one_fits_nothing_is_done() {
        assert!(planned(vec![image(1, 9)], &with_common()).is_empty());
        let other = |change: fn(&mut BakedImage)| {
            let mut other = image(1, 9);
            change(&mut other);
            words(&planned(vec![other], &with_common()))
        };
        assert_eq!(other(|image| image.recipe.set_up = "older".into()), ALL);
        assert_eq!(other(|image| image.recipe.openclaw = "2026.9.5".parse().unwrap()), ALL);
        assert_eq!(other(|image| image.architecture = "arm".into()), ALL);
        assert_eq!(other(|image| image.disk = 80.0), ALL, "no server of this type could be born from it");
        assert_eq!(other(|image| image.created = None), ALL);
    }

    #[test]
    fn what_an_interrupted_run_left_is_removed_and_nothing_else() {
        let seen = with_a_builder();
        let plan = planned(Vec::new(), &seen);
        assert_eq!(words(&plan), [["remove-builder"].as_slice(), &ALL].concat());
        let steps = |plan: Plan| plan.image.unwrap().steps;
        assert_eq!(steps(plan)[0], ImageStep::RemoveBuilder(vec![9]), "the other one is no builder");
        assert_eq!(steps(planned(vec![image(1, 9)], &seen)), [ImageStep::RemoveBuilder(vec![9])]);
        let half = BakedImage { is_whole: false, ..image(1, 9) };
        assert_eq!(
            steps(planned(vec![half], &seen)),
            [ImageStep::AwaitImage(1), ImageStep::RemoveBuilder(vec![9])]
        );
    }

    #[test]
    fn what_is_of_no_use_is_pruned_and_the_rest_if_that_is_said() {
        let other = {
            let mut other = image(3, 9);
            other.recipe.set_up = "older".into();
            other
        };
        let half = BakedImage { is_whole: false, ..image(4, 10) };
        let images = || vec![image(1, 8), image(2, 9), other.clone(), half.clone()];
        let pruned = |images, all| prune(images, all, "abc", NOW.parse().unwrap()).before;
        assert_eq!(pruned(images(), false), [FleetStep::DeleteSnapshots(vec![1, 3])]);
        assert_eq!(pruned(images(), true), [FleetStep::DeleteSnapshots(vec![1, 2, 3, 4])]);
        assert_eq!(pruned(vec![image(2, 9)], false), []);
    }
}
