use crate::model::release::{Engines, Invalid, OpenClawVersion};

/// Why there is no release.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The registry does not have it.
    #[error("there is no OpenClaw {wanted}")]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// What may have been meant, the likeliest first.
        near: Vec<OpenClawVersion>,
    },
    /// It is there, but our configuration would not fit it.
    #[error("OpenClaw {openclaw} is older than {oldest}, the oldest that this clawberth can configure")]
    TooOld {
        /// What was asked for.
        openclaw: OpenClawVersion,
        /// The oldest of the catalogue.
        oldest: OpenClawVersion,
    },
    /// No Node that it accepts.
    #[error("OpenClaw {openclaw} runs on Node {engines}, and {mirror} has none of these")]
    Engines {
        /// What was asked for.
        openclaw: OpenClawVersion,
        /// What it accepts.
        engines: Engines,
        /// Where Node was looked for.
        mirror: String,
    },
    /// Its metadata lacks a pin, or has one that we do not understand.
    #[error("the npm registry's entry for OpenClaw {openclaw} is unusable")]
    Unusable {
        /// What was asked for.
        openclaw: OpenClawVersion,
        /// The fault.
        source: Invalid,
    },
    /// The operator's npm knows no registry.
    #[error("no npm registry is configured")]
    NoRegistry,
    /// No answer, or not the one that was asked for.
    #[error("the {what} gives no answer")]
    Unreachable {
        /// `npm registry` or `Node mirror`.
        what: &'static str,
        /// What happened, with its URL.
        source: reqwest::Error,
    },
}

impl ReleaseError {
    /// What to type next.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { near, .. } if near.is_empty() => "`clawberth releases` lists them".to_owned(),
            Self::Unknown { near, .. } => {
                let near: Vec<_> = near.iter().map(ToString::to_string).collect();
                format!("did you mean {}?", near.join(" or "))
            }
            Self::TooOld { oldest, .. } => format!("use --version {oldest} or newer"),
            Self::NoRegistry => "run `npm config set registry URL`, set npm_config_registry, or leave out \
                                 --version to take the newest tested release"
                .to_owned(),
            Self::Unreachable { .. } => "leave out --version to take the newest tested release".to_owned(),
            Self::Engines { .. } => {
                "use another --version, or set node_mirror to one that has such a Node".to_owned()
            }
            Self::Unusable { .. } => "use another --version".to_owned(),
        }
    }
}
