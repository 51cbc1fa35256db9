//! What is rendered, as golden text: `UPDATE_GOLDEN=1` rewrites it.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly, in its helpers too")]

use std::path::{Path, PathBuf};

use clawberth::registry::catalogue::Catalogue;
use clawberth::render::{self, Birth, HostKey, Kind, Update};
use clawberth::secret::Secret;

fn by_address() -> Birth {
    Birth {
        release: Catalogue::built_in().unwrap().releases().last().unwrap().clone(),
        domain: None,
        admin_networks: vec!["198.51.100.7/32".parse().unwrap(), "2001:db8:7::/48".parse().unwrap()],
        acme_directory: "https://acme.example/directory".to_owned(),
        node_mirror: "https://node.example/dist".to_owned(),
        host_key: HostKey {
            private: Secret::new(
                "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            ),
            public: "ssh-ed25519 AAAA".to_owned(),
        },
        kind: Kind::Cold,
    }
}

fn by_name() -> Birth {
    Birth {
        domain: Some("alice.example.org".to_owned()),
        admin_networks: vec!["198.51.100.7/32".parse().unwrap()],
        ..by_address()
    }
}

/// Compares with `golden/render/NAME`.
fn golden(name: &Path, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/render").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == wanted, "{} changed; UPDATE_GOLDEN=1 accepts:\n{text}", path.display());
}

#[test]
fn each_file_on_a_server_is_as_it_was_agreed() {
    for (variant, birth) in [("by-address", by_address()), ("by-name", by_name())] {
        for file in render::files(&birth).unwrap() {
            golden(&Path::new(variant).join(file.path.trim_start_matches('/')), &file.content);
        }
    }
}

#[test]
fn each_file_of_an_update_is_as_it_was_agreed() {
    let Birth { release, node_mirror, .. } = by_address();
    for file in render::update(&Update { release, domain: None, node_mirror, revert_after: 120 }).unwrap() {
        golden(&Path::new("update").join(file.path.trim_start_matches('/')), &file.content);
    }
}

#[test]
fn each_file_that_a_policy_lays_is_as_it_was_agreed() {
    let policy = toml::from_str("egress = ['*.example.org']\nchannels.telegram.token = 'env:T'").unwrap();
    for (name, text) in render::laid(&policy).unwrap() {
        golden(&Path::new("policy").join(name), &text);
    }
}

#[test]
fn user_data_is_as_it_was_agreed() {
    golden(Path::new("user-data.yaml"), render::user_data(&by_address()).unwrap().expose());
}

/// A server's parts of the set-up, in order.
fn parts(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.trim().strip_prefix("part ")).collect()
}

#[test]
fn what_an_image_has_is_not_brought_again_and_what_is_somebodys_is_in_none() {
    let text = |kind| render::user_data(&Birth { kind, ..by_address() }).unwrap().expose().to_owned();
    let (cold, baked, builder) = (text(Kind::Cold), text(Kind::Baked), text(Kind::Builder));
    assert_eq!(parts(&builder), ["users", "firewall", "sshd", "node", "package"]);
    assert!(builder.contains("package_upgrade: true") && builder.contains("\n  - caddy\n"), "{builder}");
    // but for Debian's packages the same, so that both end as the same server
    let bare = |text: &str| -> Vec<String> {
        let no = |line: &&str| {
            !line.starts_with("package") && !line.starts_with("  - ") && !line.starts_with("# ")
        };
        text.lines().filter(no).map(str::to_owned).collect()
    };
    assert_eq!(bare(&cold), bare(&baked));
    assert!(baked.contains("\npackage_update: false\npackage_upgrade: false\npackages: []\n"), "{baked}");
    assert_eq!(render::set_up().unwrap(), render::set_up().unwrap());
    assert!(render::set_up().unwrap().chars().all(|c| c.is_ascii_hexdigit()));
}

#[test]
fn a_value_that_would_be_code_somewhere_is_refused() {
    let refused = |birth: Birth| render::user_data(&birth).unwrap_err().to_string();
    let mirror = |mirror: &str| Birth { node_mirror: mirror.to_owned(), ..by_address() };
    assert_eq!(
        refused(mirror("https://x/'; reboot '")),
        r#""https://x/'; reboot '" has characters that no URL or name needs"#
    );
    refused(mirror("https://x/{env.HOME}"));
    refused(Birth { domain: Some("a.example\nb".to_owned()), ..by_address() });
    refused(Birth { acme_directory: String::new(), ..by_address() });
}
