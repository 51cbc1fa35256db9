//! The authority that signs the scripted gateways' certificates, as an ACME server does for real ones.

use std::fs;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::NoServerSessionStorage;

use crate::lab::dir::LabDir;

/// The one authority of a lab.
#[derive(Debug)]
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    provider: Arc<CryptoProvider>,
}

impl Authority {
    /// The lab's authority, made at its first `up`. Its root is what `lab env` tells clients to trust.
    pub(super) fn ensure(dir: &LabDir) -> Result<Self> {
        let (key_file, root) = (dir.file("scripted-ca.key"), dir.acme_root());
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "clawberth lab, scripted hosts");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = if root.exists() {
            let pem = fs::read_to_string(&key_file);
            let pem = pem.with_context(|| format!("cannot read {}", key_file.display()))?;
            KeyPair::from_pem(&pem).with_context(|| format!("{} is no key", key_file.display()))?
        } else {
            let key = KeyPair::generate()?;
            let write = |path: &std::path::Path, text: String| {
                fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
            };
            write(&key_file, key.serialize_pem())?;
            // last: with it the key is known to be there
            write(&root, params.self_signed(&key)?.pem())?;
            key
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Self { issuer: Issuer::new(params, key), provider })
    }

    /// What a server for that address or name shows. Small: it remembers no sessions.
    pub(super) fn certify(&self, host: &str) -> Result<ServerConfig> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![match host.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(host.try_into().context("the domain of the certificate")?),
        }];
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.into())?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}
