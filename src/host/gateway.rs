//! The gateway as its own server sees it.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde::Deserialize;

use crate::model::endpoint::Endpoint;
use crate::model::release::OpenClawVersion;
use crate::secret::Secret;
use crate::ssh::Command;

/// The token goes from its file to curl through a pipe: not into an argument, and not off the server.
const VERSION: &str = r#"/opt/node/current/bin/node -p '"Authorization: Bearer " + JSON.parse(require("fs").readFileSync("/var/lib/openclaw/secrets.json")).gateway.token' |
curl --silent --show-error --fail --max-time 20 --header @- http://127.0.0.1:18789/__openclaw/control-ui-config.json"#;

/// Asks the running gateway which version it is.
pub fn version() -> Command {
    Command::new("sh").args(["-c", VERSION])
}

/// Reads the answer to [`version`].
///
/// # Errors
/// An answer of another shape.
pub fn parse_version(stdout: &str) -> Result<OpenClawVersion> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        server_version: OpenClawVersion,
    }
    let answer: Answer = serde_json::from_str(stdout).context("the gateway's answer about its version")?;
    Ok(answer.server_version)
}

/// A link that makes one browser the owner's. It works once, for ten minutes.
#[derive(Clone, Debug)]
pub struct OwnerLink {
    /// `https://HOST/#bootstrapToken=…&bootstrapProfile=owner`.
    pub url: Secret,
    /// When it stops to work.
    pub expires: Timestamp,
}

/// Makes an owner link; takes the gateway's command line about four seconds.
pub fn owner_link() -> Command {
    Command::new("openclaw").args(["dashboard", "--json", "--no-open"])
}

/// Reads the answer to [`owner_link`]: the link is made for the server itself, ours is for the world.
///
/// # Errors
/// An answer of another shape, or without a single-use token.
pub fn parse_owner_link(stdout: &str, endpoint: &Endpoint) -> Result<OwnerLink> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        browser_url: String,
        browser_bootstrap_expires_at_ms: i64,
    }
    // a serde error would quote what it read, and that may be the token
    let answer: Answer = serde_json::from_str(stdout)
        .ok()
        .context("the gateway's answer about its owner link is unreadable")?;
    let (_, fragment) = answer.browser_url.split_once('#').context("the owner link has no fragment")?;
    let token = fragment.split('&').find_map(|pair| pair.strip_prefix("bootstrapToken="));
    let token = token.context("the owner link has no single-use token")?;
    ensure!(fragment.split('&').any(|pair| pair == "bootstrapProfile=owner"), "the link is not an owner's");
    Ok(OwnerLink {
        url: Secret::new(format!("{}/#bootstrapToken={token}&bootstrapProfile=owner", endpoint.origin())),
        expires: Timestamp::from_millisecond(answer.browser_bootstrap_expires_at_ms)?,
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::{owner_link, parse_owner_link, parse_version};
    use crate::model::endpoint::Endpoint;

    const HERE: Endpoint = Endpoint::Address(Ipv4Addr::new(198, 51, 100, 7));

    /// As OpenClaw 2026.9.6 answers.
    const DASHBOARD: &str = r#"{"ok":true,"url":"http://127.0.0.1:18789/","port":18789,"tokenIncluded":false,
        "browserUrl":"http://127.0.0.1:18789/#bootstrapToken=aB3-_x&bootstrapProfile=owner&gatewayUrl=ws%3A%2F%2F127.0.0.1%3A18789",
        "browserBootstrapExpiresAtMs":1795371400471}"#;

    #[test]
    fn the_link_leads_to_the_world_s_address_and_is_not_shown() {
        let link = parse_owner_link(DASHBOARD, &HERE).unwrap();
        assert_eq!(link.url.expose(), "https://198.51.100.7/#bootstrapToken=aB3-_x&bootstrapProfile=owner");
        assert_eq!(link.expires.to_string(), "2026-11-22T18:16:40.471Z");
        assert!(!format!("{link:?}").contains("aB3"));
        assert_eq!(owner_link().to_string(), "openclaw dashboard --json --no-open");
    }

    #[test]
    fn no_error_quotes_a_token() {
        for answer in [DASHBOARD.replace("471}", "471"), DASHBOARD.replace("Profile=owner", "Profile=guest")]
        {
            let error = format!("{:?}", parse_owner_link(&answer, &HERE).unwrap_err());
            assert!(!error.contains("aB3"), "{error}");
        }
    }

    #[test]
    fn the_version_is_the_server_s() {
        let version = parse_version(r#"{"serverVersion":"2026.9.6","serverBuildId":"x"}"#).unwrap();
        assert_eq!(version.to_string(), "2026.9.6");
        assert!(parse_version("<!doctype html>").is_err());
    }
}
