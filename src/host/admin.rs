//! The host's own list of admin networks.

use anyhow::Result;

use crate::model::admin::AdminNetworks;
use crate::render;
use crate::ssh::Command;

/// One transaction of nftables: a list that it refuses is put back, and the old rules go on.
const REPLACE: &str = r#"file=/etc/clawberth/admin.nft
cp -p "$file" "$file.old" && printf %s "$1" >"$file.new" && mv "$file.new" "$file" || exit
nft -f /etc/nftables.conf || { mv "$file.old" "$file"; exit 1; }
rm -f "$file.old""#;

/// Replaces the networks that may connect to port 22.
///
/// # Errors
/// Never in practice: the template takes every network.
pub fn replace(admin: &AdminNetworks) -> Result<Command> {
    Ok(Command::new("sh").args(["-c", REPLACE, "sh", &render::admin_networks(admin.all())?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_arrives_as_one_argument() {
        let admin = AdminNetworks::parse(["203.0.113.7", "2001:db8::/32"]).unwrap();
        let command = replace(&admin).unwrap().to_string();
        assert!(command.starts_with("sh -c 'file=/etc/clawberth/admin.nft\n"), "{command}");
        assert!(
            command.contains("elements = { 203.0.113.7/32 }")
                && command.contains("elements = { 2001:db8::/32 }")
        );
    }
}
