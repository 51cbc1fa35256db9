//! Who has had what: decides which requests Let's Encrypt would refuse, and counts what the ACME server did. Pure.
//!
//! As Boulder does it: limits are checked at new-order, certificates counted when an order is finalised, failures when
//! an authorisation fails. A certificate for the same identifiers as one of the last 120 days is a renewal, which
//! counts neither as an order nor for its domain. An order that ARI announced is refused for nothing; its certificate
//! counts as any other.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use super::buckets::{Buckets, Key, Refusal};
use super::identifier::Identifier;
use super::limit::Limit;

/// How long Let's Encrypt takes a certificate for the one before it (Boulder's `wfe2` and `ra`, `NewOrder` and finalise).
const RENEWAL: Duration = Duration::from_secs(120 * 24 * 3600);

/// A request for a certificate.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) account: String,
    pub(super) identifiers: BTreeSet<Identifier>,
    /// It replaces a certificate (RFC 9773). The ACME server refuses the order unless that one is its own, of the same
    /// account, with an identifier in common, and not replaced before.
    pub(super) replaces: bool,
}

/// What was taken for a request that may still come to nothing.
#[must_use]
#[derive(Debug)]
pub(super) struct Taken(Vec<Key>);

#[derive(Default)]
pub(super) struct Ledger {
    buckets: Buckets,
    /// When the last certificate was issued for a set.
    issued: HashMap<String, Duration>,
    /// The orders that are not finalised, by the path that does it.
    orders: HashMap<String, Order>,
    /// By path: what an authorisation is for, until it has failed.
    authorizations: HashMap<String, Option<Identifier>>,
    /// The keys of accounts that are there.
    keys: HashSet<String>,
}

impl Ledger {
    /// Asks for a new account.
    ///
    /// # Errors
    /// Too many were made from this address. Whoever has an account with that key gets it nevertheless.
    pub(super) fn account(&mut self, client: IpAddr, key: &str, now: Duration) -> Result<Taken, Refusal> {
        let is_new = !self.keys.contains(key);
        self.ask(is_new.then(|| Key::new(Limit::NewAccounts, client)), &[], now)
    }

    /// The account is there: from now on it costs nothing to ask for it.
    pub(super) fn has_account(&mut self, key: String) {
        self.keys.insert(key);
    }

    /// Asks for a new order.
    ///
    /// # Errors
    /// A limit that Let's Encrypt has.
    pub(super) fn order(&mut self, order: &Order, now: Duration) -> Result<Taken, Refusal> {
        if order.replaces {
            return Ok(Taken(Vec::new()));
        }
        let failures = order.identifiers.iter().map(|identifier| failure(&order.account, identifier));
        let mut checks: Vec<Key> = failures.chain([exact(order)]).collect();
        if self.is_renewal(order, now) {
            return self.ask(None, &checks, now);
        }
        checks.extend(holders(order));
        self.ask(Some(Key::new(Limit::NewOrders, &order.account)), &checks, now)
    }

    /// The ACME server did not do it.
    pub(super) fn refused(&mut self, taken: &Taken) {
        self.buckets.give_back(&taken.0);
    }

    /// The ACME server made the order, which is finalised at that path.
    pub(super) fn ordered(&mut self, finalize: String, order: Order) {
        self.orders.insert(finalize, order);
    }

    /// The ACME server took a request at that path; if it finalised an order, a certificate is counted.
    pub(super) fn accepted(&mut self, path: &str, now: Duration) {
        let Some(order) = self.orders.remove(path) else { return };
        if !self.is_renewal(&order, now) {
            holders(&order).for_each(|key| self.buckets.count(key, now));
        }
        let set = exact(&order);
        self.issued.insert(set.of.clone(), now);
        self.buckets.count(set, now);
    }

    /// An authorisation at that path was seen, and for what it is.
    pub(super) fn authorization(&mut self, path: &str, identifier: Identifier) {
        self.authorizations.entry(path.to_owned()).or_insert(Some(identifier));
    }

    /// The authorisation at that path has failed, which is counted once.
    pub(super) fn failed(&mut self, path: &str, account: &str, now: Duration) {
        if let Some(identifier) = self.authorizations.get_mut(path).and_then(Option::take) {
            self.buckets.count(failure(account, &identifier), now);
        }
    }

    fn ask(&mut self, take: Option<Key>, checks: &[Key], now: Duration) -> Result<Taken, Refusal> {
        let takes = Vec::from_iter(take);
        self.buckets.ask(&takes, checks, now).map(|()| Taken(takes))
    }

    fn is_renewal(&self, order: &Order, now: Duration) -> bool {
        let last = self.issued.get(&exact(order).of);
        last.is_some_and(|last| now.saturating_sub(*last) < RENEWAL)
    }
}

fn exact(order: &Order) -> Key {
    let names: Vec<String> = order.identifiers.iter().map(ToString::to_string).collect();
    Key::new(Limit::ExactSet, names.join(" "))
}

fn holders(order: &Order) -> impl Iterator<Item = Key> {
    let holders: BTreeSet<String> = order.identifiers.iter().map(Identifier::holder).collect();
    holders.into_iter().map(|holder| Key::new(Limit::Certificates, holder))
}

fn failure(account: &str, identifier: &Identifier) -> Key {
    let by = Some(account.to_owned());
    Key { by, ..Key::new(Limit::FailedAuthorizations, identifier.validated()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1 << 30);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn order(account: &str, names: &[&str]) -> Order {
        let identifier = |name: &&str| match name.parse() {
            Ok(address) => Identifier::Address(address),
            Err(_) => Identifier::Name((*name).to_owned()),
        };
        let identifiers = names.iter().map(identifier).collect();
        Order { account: account.to_owned(), identifiers, replaces: false }
    }

    /// Has a certificate issued, or says which limit is in the way.
    fn issue(ledger: &mut Ledger, order: &Order, now: Duration) -> Result<(), Limit> {
        let _ = ledger.order(order, now).map_err(|refusal| refusal.key.limit)?;
        ledger.ordered("/finalize/1".to_owned(), order.clone());
        ledger.accepted("/finalize/1", now);
        Ok(())
    }

    #[test]
    fn five_certificates_for_the_same_set_whoever_asks_and_however_it_is_ordered() {
        let mut ledger = Ledger::default();
        for account in ["a", "b", "c", "d", "e"] {
            assert_eq!(issue(&mut ledger, &order(account, &["x.test", "y.test"]), NOW), Ok(()));
        }
        let again = order("f", &["y.test", "x.test"]);
        assert_eq!(ledger.order(&again, NOW).unwrap_err().wait.as_secs(), 120_960);
        assert_eq!(issue(&mut ledger, &again, NOW), Err(Limit::ExactSet));
        assert_eq!(issue(&mut ledger, &order("f", &["x.test"]), NOW), Ok(()), "another set");
        assert_eq!(issue(&mut ledger, &again, NOW + DAY * 2), Ok(()), "after a refill of 34 hours");
    }

    #[test]
    fn fifty_certificates_for_a_domain_and_a_renewal_is_none_of_them() {
        let mut ledger = Ledger::default();
        for n in 0..50 {
            let name = format!("n{n}.x.test");
            assert_eq!(issue(&mut ledger, &order(&format!("a{n}"), &[&name, "x.test"]), NOW), Ok(()));
        }
        assert_eq!(issue(&mut ledger, &order("b", &["new.x.test"]), NOW), Err(Limit::Certificates));
        let old = order("b", &["x.test", "n0.x.test"]);
        assert_eq!(issue(&mut ledger, &old, NOW), Ok(()), "a renewal");
        assert_eq!(issue(&mut ledger, &order("b", &["y.test"]), NOW), Ok(()), "another domain");
        let later = NOW + RENEWAL;
        for n in 50..100 {
            assert_eq!(issue(&mut ledger, &order("b", &[&format!("n{n}.x.test")]), later), Ok(()));
        }
        assert_eq!(
            issue(&mut ledger, &order("b", &["n1.x.test", "x.test"]), later),
            Err(Limit::Certificates)
        );
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_bucket() {
        let mut ledger = Ledger::default();
        for n in 0..50 {
            let one = order("a", &[&format!("2001:db8:0:2::{n:x}")]);
            assert_eq!(issue(&mut ledger, &one, NOW), Ok(()));
        }
        assert_eq!(issue(&mut ledger, &order("a", &["2001:db8:0:2::ffff"]), NOW), Err(Limit::Certificates));
        assert_eq!(issue(&mut ledger, &order("a", &["2001:db8:0:3::1"]), NOW), Ok(()));
    }

    #[test]
    fn what_ari_announced_is_refused_for_nothing() {
        let (mut ledger, order) = (Ledger::default(), order("a", &["x.test"]));
        for _ in 0..5 {
            issue(&mut ledger, &order, NOW).unwrap();
        }
        for n in 0..5 {
            let path = format!("/authz/{n}");
            ledger.authorization(&path, Identifier::Name("x.test".to_owned()));
            ledger.failed(&path, "a", NOW);
        }
        assert!(ledger.order(&order, NOW).is_err());
        let replacement = Order { replaces: true, ..order };
        for _ in 0..400 {
            assert_eq!(issue(&mut ledger, &replacement, NOW), Ok(()));
        }
    }

    #[test]
    fn an_authorisation_fails_once_and_for_one_account_alone() {
        let mut ledger = Ledger::default();
        for n in 0..5 {
            let path = format!("/authz/{n}");
            ledger.failed(&path, "a", NOW);
            assert!(ledger.order(&order("a", &["x.test"]), NOW).is_ok(), "after {n} failures");
            for _ in 0..3 {
                ledger.authorization(&path, Identifier::Name("x.test".to_owned()));
                ledger.failed(&path, "a", NOW);
            }
        }
        let refusal = ledger.order(&order("a", &["y.test", "*.x.test"]), NOW).unwrap_err();
        assert_eq!((refusal.key.limit, refusal.key.of.as_str()), (Limit::FailedAuthorizations, "x.test"));
        assert_eq!(refusal.wait.as_secs(), 12 * 60);
        assert!(ledger.order(&order("b", &["x.test"]), NOW).is_ok());
        assert!(ledger.order(&order("a", &["y.test"]), NOW).is_ok());
    }

    #[test]
    fn three_hundred_orders_that_were_made() {
        let mut ledger = Ledger::default();
        for n in 0..300 {
            let order = order("a", &[&format!("n{n}.test")]);
            let refused = ledger.order(&order, NOW).unwrap();
            ledger.refused(&refused);
            assert!(ledger.order(&order, NOW).is_ok());
        }
        let more = ledger.order(&order("a", &["x.test"]), NOW).unwrap_err();
        assert_eq!((more.key.limit, more.wait.as_secs()), (Limit::NewOrders, 36));
        assert!(ledger.order(&order("b", &["x.test"]), NOW).is_ok());
    }

    #[test]
    fn ten_accounts_from_an_address_and_always_the_one_that_is_there() {
        let (mut ledger, client) = (Ledger::default(), "198.18.0.2".parse().unwrap());
        for n in 0..10 {
            let key = format!("k{n}");
            assert!(ledger.account(client, &key, NOW).is_ok());
            ledger.has_account(key);
        }
        assert_eq!(ledger.account(client, "new", NOW).unwrap_err().wait.as_secs(), 18 * 60);
        assert!(ledger.account(client, "k3", NOW).is_ok());
        assert!(ledger.account("198.18.0.3".parse().unwrap(), "new", NOW).is_ok());
    }
}
