//! The lab's own authority: machines trust it, so that they trust the ACME server without a switch for the lab.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

use super::dir::LabDir;

/// The authority and the one certificate that it ever signed.
pub(super) struct Trust {
    /// The root, PEM.
    pub(super) root: String,
}

/// Root, the ACME server's certificate, its key.
pub(super) const FILES: [&str; 3] = ["ca.pem", "acme-tls.pem", "acme-tls.key"];

/// The lab's authority, made at its first `up` for the ACME server's address. Its key is thrown away once that
/// certificate is signed: nothing else can ever be signed with it.
pub(super) fn ensure(dir: &LabDir, server: IpAddr) -> Result<Trust> {
    let [root, certificate, key] = FILES.map(|name| dir.file(name));
    if root.exists() {
        let text = fs::read_to_string(&root).with_context(|| format!("cannot read {}", root.display()))?;
        return Ok(Trust { root: text });
    }
    let authority_key = KeyPair::generate()?;
    let mut params = named("clawberth lab");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = params.self_signed(&authority_key)?;
    let issuer = Issuer::new(params, authority_key);
    let server_key = KeyPair::generate()?;
    let mut params = named("clawberth lab ACME");
    params.subject_alt_names = vec![SanType::IpAddress(server)];
    let signed = params.signed_by(&server_key, &issuer)?;
    write(&key, &server_key.serialize_pem())?;
    write(&certificate, &signed.pem())?;
    // Last: with it the other two are known to be there.
    write(&root, &authority.pem())?;
    Ok(Trust { root: authority.pem() })
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
