//! What leaves a server, seen by the lab's router and not by the server.

use std::collections::BTreeSet;
use std::process::Command;

use super::bed::Bed;
use super::cable;

/// Writes down to whom the lab's only server opens connections, by address, protocol and port; until it is dropped.
pub(super) struct Watch {
    router: String,
}

impl Watch {
    pub(super) fn start(bed: &Bed) -> Self {
        let (router, id) = cable::end(bed);
        let watch = Self { router };
        watch.nft(&format!(
            "table inet watch {{
                set seen4 {{ type ipv4_addr . inet_proto . inet_service; flags dynamic; size 4096; }}
                set seen6 {{ type ipv6_addr . inet_proto . inet_service; flags dynamic; size 4096; }}
                chain leaving {{
                    type filter hook prerouting priority filter; policy accept;
                    iifname != \"m{id}\" return
                    ct direction reply return
                    update @seen4 {{ ip daddr . meta l4proto . th dport }}
                    meta l4proto != ipv6-icmp update @seen6 {{ ip6 daddr . meta l4proto . th dport }}
                }}
            }}"
        ));
        watch
    }

    /// Each that it was since the last time: `198.51.100.7 tcp 443`.
    pub(super) fn seen(&self) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        for set in ["seen4", "seen6"] {
            let listing: serde_json::Value =
                serde_json::from_str(&self.nft(&format!("list set inet watch {set}"))).unwrap();
            let elements =
                listing["nftables"].as_array().unwrap().iter().filter_map(|it| it["set"]["elem"].as_array());
            for element in elements.flatten() {
                let parts =
                    element["elem"]["val"]["concat"].as_array().or(element["concat"].as_array()).unwrap();
                let words = parts.iter().map(|part| part.as_str().map_or(part.to_string(), str::to_owned));
                seen.insert(words.collect::<Vec<_>>().join(" "));
            }
            self.nft(&format!("flush set inet watch {set}"));
        }
        seen
    }

    fn nft(&self, words: &str) -> String {
        let output =
            Command::new("ip").args(["netns", "exec", &self.router, "nft", "-j", words]).output().unwrap();
        assert!(output.status.success(), "nft {words}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.nft("delete table inet watch");
    }
}
