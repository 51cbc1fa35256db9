//! Images of ours: snapshots from which servers are born with everything installed, and with nobody's identity.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::fleet::OPENCLAW;
use crate::model::release::{OpenClawVersion, Release};

/// Label key: the Node of an image's release.
pub const NODE: &str = "node";
/// Label key: the image of Hetzner's that an image was made on.
pub const BASE: &str = "base";
/// Label key: by which set-up an image was made, as a hash. What has it and is a snapshot, is an image of ours.
pub const SET_UP: &str = "set-up";
/// Label key: that a server is only there to become an image; which release it has.
pub const BUILDER: &str = "builder";

/// How old an image may be. What is born from one that is older has many security updates to catch up with.
pub const MOST_AGE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What an image must have been made by, so that a server of this release can be born from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The gateway's version, which names one package for ever.
    pub openclaw: OpenClawVersion,
    /// The Node it runs on.
    pub node: String,
    /// The image of Hetzner's below it, such as `debian-13`.
    pub base: String,
    /// The set-up, as a hash.
    pub set_up: String,
}

/// An image of ours, as its snapshot shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct BakedImage {
    /// The snapshot's id.
    pub id: u64,
    /// By what it was made.
    pub recipe: Recipe,
    /// `x86` or `arm`.
    pub architecture: String,
    /// How many GB the disk of a server must have at least.
    pub disk: f64,
    /// How many GB are paid for, once it is made.
    pub size: Option<f64>,
    /// When it was made; none where that cannot be read.
    pub created: Option<Timestamp>,
    /// Whether all of it is there.
    pub is_whole: bool,
}

/// What an image is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Servers are born from it.
    Fits,
    /// It is not all there yet.
    Making,
    /// It is too old.
    Old,
    /// It was made by another version of the set-up.
    OtherSetUp,
    /// There is a newer one of the same.
    Superseded,
}

impl Recipe {
    /// What an image for a release must be made by.
    pub fn new(release: &Release, base: &str, set_up: &str) -> Self {
        let (openclaw, node) = (release.openclaw, release.node.to_string());
        Self { openclaw, node, base: base.to_owned(), set_up: set_up.to_owned() }
    }

    /// The recipe as labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (OPENCLAW.to_owned(), self.openclaw.to_string()),
            (NODE.to_owned(), self.node.clone()),
            (BASE.to_owned(), self.base.clone()),
            (SET_UP.to_owned(), self.set_up.clone()),
        ])
    }

    /// Reads it off labels; none where they are no image's of ours.
    pub fn of_labels(labels: &BTreeMap<String, String>) -> Option<Self> {
        let of = |key: &str| labels.get(key).cloned();
        Some(Self {
            openclaw: of(OPENCLAW)?.parse().ok()?,
            node: of(NODE)?,
            base: of(BASE)?,
            set_up: of(SET_UP)?,
        })
    }
}

impl BakedImage {
    /// Whether another one is as good.
    fn is_same_as(&self, other: &Self) -> bool {
        self.recipe == other.recipe && self.architecture == other.architecture
    }

    /// Whether a server of this kind can be born from it.
    pub fn suits(&self, recipe: &Recipe, architecture: &str, disk: u32) -> bool {
        self.recipe == *recipe && self.architecture == architecture && self.disk <= f64::from(disk)
    }

    fn is_old(&self, now: Timestamp) -> bool {
        self.created.is_none_or(|created| now.duration_since(created) > MOST_AGE)
    }
}

impl Use {
    /// In few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::Making => "being made",
            Self::Old => "too old",
            Self::OtherSetUp => "other set-up",
            Self::Superseded => "superseded",
        }
    }
}

/// What each image is good for, with this set-up and at this time.
pub fn uses(mut images: Vec<BakedImage>, set_up: &str, now: Timestamp) -> Vec<(BakedImage, Use)> {
    images.sort_by_key(|image| (image.created, image.id));
    let judge = |(place, image): (usize, &BakedImage)| {
        // one that needs a larger disk is no better, though newer
        let better = |other: &&BakedImage| {
            other.is_whole && other.is_same_as(image) && other.disk <= image.disk && !other.is_old(now)
        };
        let verdict = if image.recipe.set_up != set_up {
            Use::OtherSetUp
        } else if !image.is_whole {
            Use::Making
        } else if image.is_old(now) {
            Use::Old
        } else if images.iter().skip(place + 1).find(better).is_some() {
            Use::Superseded
        } else {
            Use::Fits
        };
        (image.clone(), verdict)
    };
    images.iter().enumerate().map(judge).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const NOW: &str = "2026-11-30T12:00:00Z";

    pub(crate) fn image(id: u64, day: u8) -> BakedImage {
        let recipe = Recipe {
            openclaw: "2026.9.6".parse().unwrap(),
            node: "24.21.0".into(),
            base: "debian-13".into(),
            set_up: "abc".into(),
        };
        BakedImage {
            id,
            recipe,
            architecture: "x86".into(),
            disk: 40.0,
            size: Some(1.5),
            created: Some(format!("2026-11-{day:02}T12:00:00Z").parse().unwrap()),
            is_whole: true,
        }
    }

    fn judged(images: Vec<BakedImage>) -> Vec<(u64, Use)> {
        let all = uses(images, "abc", NOW.parse().unwrap());
        all.into_iter().map(|(image, verdict)| (image.id, verdict)).collect()
    }

    #[test]
    fn labels_say_by_what_it_was_made() {
        let recipe = image(1, 1).recipe;
        assert_eq!(Recipe::of_labels(&recipe.labels()), Some(recipe.clone()));
        for missing in [OPENCLAW, NODE, BASE, SET_UP] {
            let mut labels = recipe.labels();
            labels.remove(missing);
            assert_eq!(Recipe::of_labels(&labels), None, "{missing}");
        }
    }

    #[test]
    fn what_another_set_up_made_and_what_is_too_old_is_of_no_use() {
        let other = {
            let mut other = image(2, 29);
            other.recipe.set_up = "older".into();
            other
        };
        let making = BakedImage { is_whole: false, ..image(3, 30) };
        let october = Some("2026-10-31T11:59:59Z".parse().unwrap());
        let old = BakedImage { created: october, ..image(4, 1) };
        let undated = BakedImage { created: None, ..image(5, 1) };
        assert_eq!(
            judged(vec![image(1, 1), other, making, old, undated]),
            [(5, Use::Old), (4, Use::Old), (1, Use::Fits), (2, Use::OtherSetUp), (3, Use::Making)]
        );
    }

    #[test]
    fn of_two_of_the_same_the_newer_one_is_used() {
        assert_eq!(judged(vec![image(2, 9), image(1, 8)]), [(1, Use::Superseded), (2, Use::Fits)]);
        let half = BakedImage { is_whole: false, ..image(2, 9) };
        assert_eq!(judged(vec![image(1, 8), half]), [(1, Use::Fits), (2, Use::Making)]);
        let arm = BakedImage { architecture: "arm".into(), ..image(2, 9) };
        assert_eq!(judged(vec![image(1, 8), arm]), [(1, Use::Fits), (2, Use::Fits)]);
        // smaller servers need the older one
        let large = BakedImage { disk: 80.0, ..image(2, 9) };
        assert_eq!(judged(vec![image(1, 8), large]), [(1, Use::Fits), (2, Use::Fits)]);
    }

    #[test]
    fn a_server_is_born_only_from_what_was_made_for_its_like() {
        let image = image(1, 1);
        let recipe = image.recipe.clone();
        assert!(image.suits(&recipe, "x86", 40) && image.suits(&recipe, "x86", 80));
        assert!(!image.suits(&recipe, "arm", 40) && !image.suits(&recipe, "x86", 39));
        for change in [
            |recipe: &mut Recipe| recipe.openclaw = "2026.9.5".parse().unwrap(),
            |recipe: &mut Recipe| recipe.node = "24.20.0".into(),
            |recipe: &mut Recipe| recipe.base = "debian-14".into(),
            |recipe: &mut Recipe| recipe.set_up = "abd".into(),
        ] {
            let mut other = recipe.clone();
            change(&mut other);
            assert!(!image.suits(&other, "x86", 40), "{other:?}");
        }
    }
}
