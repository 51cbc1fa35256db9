//! Who signs the certificates, as far as its rules are known.

/// A certificate authority, known by its ACME directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authority {
    /// Let's Encrypt.
    #[default]
    LetsEncrypt,
    /// Its staging environment: the same rules, practically no limits, and roots that nobody trusts.
    Staging,
    /// Another one, of whose rules nothing is known here.
    Other,
}

impl Authority {
    /// The authority behind an ACME directory.
    pub fn of(directory: &str) -> Self {
        let host = directory.split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next());
        match host {
            Some("acme-v02.api.letsencrypt.org") => Self::LetsEncrypt,
            Some("acme-staging-v02.api.letsencrypt.org") => Self::Staging,
            Some(_) | None => Self::Other,
        }
    }

    /// Its name in the certificates that it signs with; none: nobody knows, or it does not matter.
    pub fn organization(self) -> Option<&'static str> {
        match self {
            Self::LetsEncrypt => Some("Let's Encrypt"),
            Self::Staging | Self::Other => None,
        }
    }

    /// Its name in CAA records (<https://letsencrypt.org/docs/caa/>).
    pub fn caa(self) -> Option<&'static str> {
        match self {
            Self::LetsEncrypt | Self::Staging => Some("letsencrypt.org"),
            Self::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Authority;

    #[test]
    fn an_authority_is_known_by_the_host_of_its_directory() {
        for (directory, authority) in [
            ("https://acme-v02.api.letsencrypt.org/directory", Authority::LetsEncrypt),
            ("https://acme-staging-v02.api.letsencrypt.org/directory", Authority::Staging),
            ("https://198.18.0.3:14000/dir", Authority::Other),
            ("https://acme.example/acme-v02.api.letsencrypt.org", Authority::Other),
            ("", Authority::Other),
        ] {
            assert_eq!(Authority::of(directory), authority, "{directory}");
        }
    }
}
