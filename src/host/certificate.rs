//! The certificate that a server shows.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;
use x509_parser::x509::X509Name;

use crate::model::audit::Verdict;
use crate::model::authority::Authority;

/// With less left a certificate is not being renewed: Caddy does so with a third of its life left, or when the authority says so, which
/// is at half the life of the short ones.
pub const RENEWED: SignedDuration = SignedDuration::from_hours(48);
/// Certificates that live shorter are renewed in the middle of their lives.
const SHORT: SignedDuration = SignedDuration::from_hours(10 * 24);

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The names and addresses that it is for.
    names: Vec<String>,
    /// Whose authority signed it, where that is said, and by which of its certificates.
    organization: Option<String>,
    issuer: String,
    begins: Timestamp,
    /// Until when it is good.
    pub ends: Timestamp,
}

impl Certificate {
    /// Reads one in DER.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn parse(der: &[u8]) -> Result<Self> {
        let (_, certificate) =
            x509_parser::parse_x509_certificate(der).context("the certificate is unreadable")?;
        let validity = certificate.validity();
        Ok(Self {
            names: names(&certificate).context("the names of the certificate are unreadable")?,
            organization: first(certificate.issuer().iter_organization()),
            issuer: called(certificate.issuer()),
            begins: Timestamp::from_second(validity.not_before.timestamp())?,
            ends: Timestamp::from_second(validity.not_after.timestamp())?,
        })
    }

    /// Whether it is as promised, once it was shown over a connection that was verified: its chain leads to a trusted root, and it is
    /// for that host.
    pub fn judge(&self, host: &str, authority: Authority, now: Timestamp) -> Verdict {
        let others: Vec<&str> = self.names.iter().map(String::as_str).filter(|name| *name != host).collect();
        if !others.is_empty() {
            return Verdict::Fails(format!("it is for {}, too", others.join(", ")));
        }
        if let Some(ours) =
            authority.organization().filter(|ours| self.organization.as_deref() != Some(*ours))
        {
            return Verdict::Fails(format!("it is signed by {}, and not by {ours}", self.issuer));
        }
        let (left, life) = (self.ends.duration_since(now), self.ends.duration_since(self.begins));
        let late = if life < SHORT { life / 8 * 3 } else { life / 4 };
        let ends = self.ends;
        if left <= RENEWED {
            Verdict::Fails(format!("the certificate ends at {ends}"))
        } else if left <= late {
            Verdict::Warns(format!("the certificate ends at {ends}, and should have been renewed by now"))
        } else {
            Verdict::Holds(format!("signed by {} for {host} alone, until {ends}", self.issuer))
        }
    }
}

fn names(certificate: &X509Certificate<'_>) -> Result<Vec<String>> {
    let all = certificate.subject_alternative_name()?.map(|names| &names.value.general_names);
    Ok(all.into_iter().flatten().map(name).collect())
}

fn name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.map_or_else(|_| format!("{name}"), |address| address.to_string())
        }
        other => format!("{other}"),
    }
}

/// `Let's Encrypt R13`.
fn called(name: &X509Name<'_>) -> String {
    let parts = [first(name.iter_organization()), first(name.iter_common_name())];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "nobody".to_owned() } else { parts.join(" ") }
}

fn first<'a>(
    mut parts: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>,
) -> Option<String> {
    parts.next().and_then(|part| part.as_str().ok()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, Issuer, KeyPair, date_time_ymd};

    use super::*;

    /// Of authority and names, from 2026-11-01 until that day of December.
    fn certificate(organization: &str, names: &[&str], last_day: u8) -> Certificate {
        let mut above = CertificateParams::default();
        above.distinguished_name.push(DnType::OrganizationName, organization);
        above.distinguished_name.push(DnType::CommonName, "R13");
        let issuer = Issuer::new(above, KeyPair::generate().unwrap());
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2026, 11, 1);
        params.not_after = date_time_ymd(2026, 12, last_day);
        let signed = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        Certificate::parse(signed.der()).unwrap()
    }

    fn judged(certificate: &Certificate, host: &str, now: &str) -> Verdict {
        certificate.judge(host, Authority::LetsEncrypt, now.parse().unwrap())
    }

    #[test]
    fn it_is_for_its_host_alone_and_signed_by_whom_it_should_be() {
        let now = "2026-11-10T00:00:00Z";
        let ours = "Let's Encrypt";
        let good = certificate(ours, &["alice.example.org"], 31);
        let shown = "signed by Let's Encrypt R13 for alice.example.org alone, until 2026-12-31T00:00:00Z";
        assert_eq!(judged(&good, "alice.example.org", now), Verdict::Holds(shown.to_owned()));
        let address = certificate(ours, &["198.51.100.7"], 31);
        assert_eq!(judged(&address, "198.51.100.7", now).word(), "ok");
        let shared = certificate(ours, &["alice.example.org", "198.51.100.7"], 31);
        let why = "it is for 198.51.100.7, too";
        assert_eq!(judged(&shared, "alice.example.org", now), Verdict::Fails(why.to_owned()));
        let other = certificate("ZeroSSL", &["alice.example.org"], 31);
        let why = "it is signed by ZeroSSL R13, and not by Let's Encrypt";
        assert_eq!(judged(&other, "alice.example.org", now), Verdict::Fails(why.to_owned()));
        let now = now.parse().unwrap();
        assert_eq!(other.judge("alice.example.org", Authority::Other, now).word(), "ok", "whoever that is");
        assert!(Certificate::parse(b"none").is_err());
    }

    #[test]
    fn one_that_is_not_renewed_is_told_of_before_it_ends() {
        // 40 days
        let long = certificate("Let's Encrypt", &["a.example"], 11);
        for (now, word) in [
            ("2026-11-30T23:00:00Z", "ok"),
            ("2026-12-01T01:00:00Z", "warn"),
            ("2026-12-08T23:00:00Z", "warn"),
            ("2026-12-09T01:00:00Z", "fail"),
            ("2026-12-12T00:00:00Z", "fail"),
        ] {
            assert_eq!(judged(&long, "a.example", now).word(), word, "{now}");
        }
        // as long as those for addresses
        let ends = long.ends;
        let begins = ends - SignedDuration::from_hours(160);
        let short = Certificate { begins, ..long };
        for (left, word) in [(61, "ok"), (59, "warn"), (49, "warn"), (47, "fail")] {
            let now = (ends - SignedDuration::from_hours(left)).to_string();
            assert_eq!(judged(&short, "a.example", &now).word(), word, "{left} h are left");
        }
    }
}
