//! Whether an instance can have its name, and whether that points at its server.

use crate::model::authority::Authority;
use crate::model::caa;
use crate::model::instance::{Instance, Server, Stage};
use crate::model::observed::{CloudServer, Observed};
use crate::model::refusal::Refusal;
use crate::model::zone::CloudZone;

use super::Step;

/// The step that points an instance's name at its server, where it has one and that is not so already.
///
/// # Errors
/// [`Refusal`] where it cannot have that name, or would get no certificate for it: before anything is created, and as long as it
/// has none.
pub(super) fn naming(
    instance: &Instance,
    server: Option<&CloudServer>,
    known: Option<&Server>,
    authority: Authority,
    seen: &Observed,
) -> Result<Option<Step>, Refusal> {
    let Some(domain) = &instance.spec.domain else {
        return Ok(None);
    };
    let zone = seen.zones.get(domain).ok_or_else(|| {
        let hint = "create the zone in the Hetzner Console and delegate the domain to it, or deploy without --domain";
        unusable(domain, hint).because(format!("the project has no zone {domain}"))
    })?;
    let label = instance.name.as_str();
    let is_certified = known.is_some() && matches!(instance.stage, Stage::Installed(_) | Stage::Serving(_));
    free(label, domain, zone)?;
    if !is_certified {
        found(domain, zone)?;
        certifiable(label, domain, authority, zone)?;
    }
    let wanted = |kind: &str| match (server, kind) {
        (Some(server), "A") => server.ipv4.map(|a| vec![a.to_string()]).unwrap_or_default(),
        (Some(server), _) => server.ipv6.map(|a| vec![a.to_string()]).unwrap_or_default(),
        (None, _) => Vec::new(),
    };
    let there =
        |kind: &str| zone.records.get(&(label.to_owned(), kind.to_owned())).cloned().unwrap_or_default();
    let right = known.is_some() && ["A", "AAAA"].iter().all(|kind| wanted(kind) == there(kind));
    Ok((!right).then(|| Step::Name(domain.clone())))
}

fn unusable(domain: &str, hint: impl Into<String>) -> Refusal {
    Refusal::new(format!("cannot use the domain {domain}"), hint)
}

/// The records of the name are ours to write.
fn free(label: &str, domain: &str, zone: &CloudZone) -> Result<(), Refusal> {
    if zone.is_secondary {
        let hint = "make it a primary zone in the Hetzner Console, or deploy without --domain";
        return Err(
            unusable(domain, hint).because("its zone is a secondary one: its records are written elsewhere")
        );
    }
    let taken = |why: &str| {
        let hint = format!("remove the record {label}.{domain}, or choose another name");
        Err(Refusal::new(format!("{label}.{domain} is taken"), hint).because(why))
    };
    if zone.foreign.contains(label) {
        return taken("the zone has an address record of that name that is not the fleet's");
    }
    if zone.handed_on.contains(label) {
        return taken("the zone has NS records of that name, so that other name servers are asked for it");
    }
    Ok(())
}

/// The world asks Hetzner for the zone's records.
fn found(domain: &str, zone: &CloudZone) -> Result<(), Refusal> {
    let Some(flaw) = zone.delegation.flaw() else { return Ok(()) };
    let ours = zone.delegation.assigned.join(", ");
    let hint = format!(
        "name {ours} at its registrar, wait until the Hetzner Console shows that, and run the same again; \
         or deploy without --domain"
    );
    Err(unusable(domain, hint).because(flaw))
}

/// Its records let the authority certify the name.
fn certifiable(label: &str, domain: &str, authority: Authority, zone: &CloudZone) -> Result<(), Refusal> {
    let Some(ours) = authority.caa() else { return Ok(()) };
    caa::allow(zone.caa_of(label), ours).map_err(|why| {
        let hint = format!(
            "add the CAA record 0 issue \"{ours}\" to the others, or remove them; or deploy without --domain"
        );
        Refusal::new(format!("nobody would certify {label}.{domain}"), hint)
            .because(format!("its CAA records {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::zone::Delegation;

    fn refused(change: impl FnOnce(&mut CloudZone), authority: Authority) -> Option<String> {
        let mut zone = CloudZone::default();
        change(&mut zone);
        let all = [
            free("alice", "example.org", &zone),
            found("example.org", &zone),
            certifiable("alice", "example.org", authority, &zone),
        ];
        all.into_iter().find_map(Result::err).map(|refusal| refusal.to_string())
    }

    fn caa(name: &str, record: &str) -> impl FnOnce(&mut CloudZone) {
        let (name, records) = (name.to_owned(), vec![record.to_owned()]);
        move |zone| {
            zone.caa.insert(name, records);
        }
    }

    fn delegated(status: &str) -> impl FnOnce(&mut CloudZone) {
        let status = Some(status.to_owned());
        move |zone| zone.delegation = Delegation { status, ..Delegation::default() }
    }

    #[test]
    fn what_does_not_lead_to_a_certificate_is_refused() {
        let of = |change: &mut dyn FnMut(&mut CloudZone)| refused(change, Authority::LetsEncrypt);
        assert_eq!(of(&mut |_| {}), None);
        let unusable = Some("cannot use the domain example.org".to_owned());
        assert_eq!(of(&mut |zone| zone.is_secondary = true), unusable);
        let taken = Some("alice.example.org is taken".to_owned());
        assert_eq!(of(&mut |zone| zone.foreign = ["alice".to_owned()].into()), taken);
        assert_eq!(of(&mut |zone| zone.handed_on = ["alice".to_owned()].into()), taken);
        for (status, expected) in [
            ("invalid", &unusable),
            ("lame", &unusable),
            ("unregistered", &unusable),
            ("valid", &None),
            // it answers, and so do others
            ("partially-valid", &None),
            ("unknown", &None),
            ("a new word", &None),
        ] {
            assert_eq!(refused(delegated(status), Authority::LetsEncrypt), *expected, "{status}");
        }
    }

    #[test]
    fn of_caa_records_the_nearest_count() {
        let nobody = Some("nobody would certify alice.example.org".to_owned());
        let others = "0 issue \"digicert.com\"";
        assert_eq!(refused(caa("@", others), Authority::LetsEncrypt), nobody);
        assert_eq!(refused(caa("alice", others), Authority::Staging), nobody);
        assert_eq!(refused(caa("bob", others), Authority::LetsEncrypt), None);
        assert_eq!(refused(caa("@", others), Authority::Other), None, "nobody knows its name");
        let own = |zone: &mut CloudZone| {
            caa("@", others)(zone);
            caa("alice", "0 issue \"letsencrypt.org\"")(zone);
        };
        assert_eq!(refused(own, Authority::LetsEncrypt), None);
    }
}
