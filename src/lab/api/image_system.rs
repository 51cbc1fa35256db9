//! The images that are there from the beginning.

use jiff::Timestamp;

use super::deprecation::Deprecation;
use super::image::{Image, Kind};
use super::label::Labels;
use super::meta::Meta;

/// Hetzner's own images.
pub(crate) fn all() -> Vec<Image> {
    let image = |id, name: &str, description: &str, created: i64, architecture: &str| {
        let (os_flavor, os_version) = name.split_once('-').unwrap_or((name, ""));
        let created = Timestamp::from_second(created).unwrap_or_default();
        Image {
            meta: Meta { id, name: name.to_owned(), labels: Labels::new(), created },
            kind: Kind::System,
            description: description.to_owned(),
            os_flavor: os_flavor.to_owned(),
            os_version: os_version.to_owned(),
            architecture: architecture.to_owned(),
            disk_size: 5,
            created_from: None,
            creating: false,
            protected: false,
            deprecation: None,
        }
    };
    // announced on 2025-05-31, three months ahead; whoever asks for it gets it all the same
    let deprecation = Some(Deprecation::new(1_748_649_600, 1_756_598_400));
    let old = |image| Image { deprecation, ..image };
    vec![
        old(image(15_512_617, "ubuntu-20.04", "Ubuntu 20.04", 1_587_603_600, "x86")),
        old(image(103_908_130, "ubuntu-20.04", "Ubuntu 20.04", 1_587_603_600, "arm")),
        image(114_690_387, "debian-12", "Debian 12", 1_686_636_000, "x86"),
        image(114_690_389, "debian-12", "Debian 12", 1_686_636_000, "arm"),
        image(161_547_269, "ubuntu-24.04", "Ubuntu 24.04", 1_714_050_000, "x86"),
        image(161_547_270, "ubuntu-24.04", "Ubuntu 24.04", 1_714_050_000, "arm"),
        image(310_557_660, "debian-13", "Debian 13", 1_754_892_000, "x86"),
        image(310_557_661, "debian-13", "Debian 13", 1_754_892_000, "arm"),
    ]
}
