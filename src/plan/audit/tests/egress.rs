//! The way out, where a policy closes it.

use super::*;

/// What a host adds whose way out is closed but for one name.
const CLOSED: &str = "\
way_out=closed
egress=type filter hook output priority filter; policy accept;
egress=meta skuid \"openclaw\" oif != \"lo\" counter reject
egress=meta skuid \"openclaw\" meta l4proto { tcp, udp } th dport { 53, 853 } reject
egress=meta skuid \"clawberth-egress\" oif \"lo\" ct state established accept
egress=meta skuid \"clawberth-egress\" meta l4proto { tcp, udp } th dport 53 accept
egress=meta skuid \"clawberth-egress\" oif != \"lo\" tcp dport 443 accept
egress=meta skuid \"clawberth-egress\" reject
egress_name=a.example
egress_try=refused
egress_stranger=403
egress.exposure=1.1
egress.runs=clawberth-egress
openclaw=IPAddressDeny=0.0.0.0/0 169.254.169.254/32 ::/0
";

#[test]
fn where_a_policy_closes_the_way_out_each_part_of_it_is_seen_to() {
    let mut world = World::new();
    let chain = CLOSED.lines().filter_map(|line| line.strip_prefix("egress="));
    let chain = chain.map(|rule| format!("\t\t# why\n\t\t{rule}\n")).collect::<String>();
    let chain = format!("table inet clawberth {{\n\tchain egress {{\n{chain}\t}}\n}}\n");
    world.laid = [("egress.nft", chain), ("egress.names", "a.example\n".to_owned())].into();
    // that these are there is another promise
    let laid: String =
        world.laid.iter().map(|(name, text)| format!("laid={name} {}\n", config::sha256(text))).collect();
    let healthy = told("way_out=open\n", CLOSED) + &laid;
    assert_eq!(world.broken(&healthy), [""; 0]);
    let open = world.broken(&format!("{HEALTHY}{laid}"));
    assert!(open.len() == 1 && open[0].starts_with("fail egress: the firewall has not got"), "{open:?}");
    for (from, to, broken) in [
        (
            "egress=meta skuid \"openclaw\" oif",
            "egress=meta skuid \"openclaw\" accept\negress=meta skuid \"openclaw\" oif",
            "the firewall has \"meta skuid \\\"openclaw\\\" accept\"",
        ),
        (
            "egress=meta skuid \"clawberth-egress\" reject\n",
            "",
            "the firewall has not got \"meta skuid \\\"clawberth-egress\\\" reject\"",
        ),
        (
            "egress=type filter hook output priority filter; policy accept;\n",
            "egress=meta skuid \"clawberth-egress\" reject\negress=type filter hook output priority filter; policy accept;\n",
            "the firewall's rules are in another order",
        ),
        ("egress_try=refused\n", "", "a connection of openclaw's beyond the server is not refused"),
        ("egress_name=a.example", "egress_name=a.example\negress_name=*", "the proxy lets * through"),
        ("egress_name=a.example\n", "", "the proxy does not let a.example through"),
        ("egress_stranger=403", "egress_stranger=200", "the proxy lets anybody through"),
        ("egress_stranger=403", "egress_stranger=000", "the proxy does not answer"),
        ("egress.exposure=1.1", "egress.exposure=9", "the proxy is exposed 9 of 10, and 1.5 is the limit"),
        ("egress.runs=clawberth-egress", "egress.runs=", "the proxy does not run"),
        ("egress.runs=clawberth-egress", "egress.runs=root", "the proxy is run by root"),
        (
            "IPAddressDeny=0.0.0.0/0 169.254.169.254/32 ::/0",
            "IPAddressDeny=169.254.169.254/32",
            "the gateway's unit may reach more than its server",
        ),
    ] {
        assert_eq!(world.broken(&changed(&healthy, from, to)), [format!("fail egress: {broken}")], "{to:?}");
    }
}
