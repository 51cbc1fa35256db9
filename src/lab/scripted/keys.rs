//! The keys of a scripted host: those that it shows, and those that a command names.

use anyhow::Result;
use ssh_key::certificate::{Builder, CertType};
use ssh_key::{Algorithm, Certificate, HashAlg, LineEnding, PrivateKey};

use super::state::State;

/// Makes a host key, unless there is one.
pub(super) fn make_key(place: &mut Option<String>) {
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)
        .and_then(|key| key.to_openssh(LineEnding::LF));
    match key {
        Ok(key) if place.is_none() => *place = Some(key.to_string()),
        Ok(_) => {}
        Err(error) => tracing::error!("cannot make a host key: {error}"),
    }
}

/// Signs its own key with the injected one, for good, while that is the one that it shows.
pub(super) fn sign_key(state: &mut State) -> Result<()> {
    let Some(own) = state.own_key.clone().filter(|own| state.certificate.is_none() && *own != state.host_key)
    else {
        return Ok(());
    };
    let (own, injected) = (PrivateKey::from_openssh(own)?, PrivateKey::from_openssh(&state.host_key)?);
    let mut builder = Builder::new_with_random_nonce(&mut rand::rng(), own.public_key(), 0, u64::MAX >> 1)?;
    builder.cert_type(CertType::Host)?.all_principals_valid()?;
    state.certificate = Some(builder.sign(&injected)?.to_openssh()?);
    Ok(())
}

/// The fingerprint of the key that signed.
pub(super) fn signer(certificate: &Certificate) -> String {
    certificate.signature_key().fingerprint(HashAlg::Sha256).to_string()
}

/// Shows the key that the command names, if it was made.
pub(super) fn switch_key(state: &mut State, command: &str) {
    let named = |key: &String| command.contains(&public(key));
    if let Some(next) = state.next_key.take_if(|next| named(next)) {
        state.own_key = Some(next);
        state.certificate = None;
    }
    if let Some(own) = state.own_key.clone().filter(named) {
        state.host_key = own;
        state.next_key = None;
    }
}

/// The public keys in a command, without their comments.
pub(super) fn named_keys(command: &str) -> Vec<String> {
    let words: Vec<&str> = command.split([' ', '\'', '"']).collect();
    let pairs = words
        .windows(2)
        .filter(|pair| matches!(pair, [kind, key] if kind.contains("ssh-") && key.starts_with("AAAA")));
    pairs.map(|pair| pair.join(" ")).collect()
}

/// The public half of a private key.
pub(super) fn public(private: &str) -> String {
    let public = PrivateKey::from_openssh(private).and_then(|key| key.public_key().to_openssh());
    public.map(|key| bare(&key)).unwrap_or_default()
}

/// A public key without its comment.
pub(super) fn bare(key: &str) -> String {
    key.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
