//! Let's Encrypt's limits, and how it words them.

use std::time::Duration;

use jiff::Timestamp;

use super::bucket::Bucket;

/// What Let's Encrypt counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Limit {
    /// Accounts made, by address of the client.
    NewAccounts,
    /// Orders made, by account.
    NewOrders,
    /// Certificates for a registered domain, an IPv4 address or an IPv6 /64, over all accounts.
    Certificates,
    /// Certificates for the exact same set of identifiers, over all accounts.
    ExactSet,
    /// Authorisations that failed, by account and identifier.
    FailedAuthorizations,
}

/// So many in so many hours, one back every `hours / burst`; and where its page explains it.
struct Rule {
    burst: u32,
    hours: u32,
    anchor: &'static str,
}

impl Limit {
    /// The numbers of <https://letsencrypt.org/docs/rate-limits/>, as they were in autumn 2026.
    const fn rule(self) -> Rule {
        let (burst, hours, anchor) = match self {
            Self::NewAccounts => (10, 3, "new-registrations-per-ip-address"),
            Self::NewOrders => (300, 3, "new-orders-per-account"),
            Self::Certificates => (50, 7 * 24, "new-certificates-per-registered-domain"),
            Self::ExactSet => (5, 7 * 24, "new-certificates-per-exact-set-of-identifiers"),
            Self::FailedAuthorizations => (5, 1, "authorization-failures-per-identifier-per-account"),
        };
        Rule { burst, hours, anchor }
    }

    /// A full bucket.
    pub(super) fn bucket(self) -> Bucket {
        let Rule { burst, hours, .. } = self.rule();
        Bucket::new(burst, Duration::from_secs(u64::from(hours) * 3600) / burst)
    }

    /// What a client is told that met the limit with `of` (Boulder's `ratelimits/limiter.go` and `errors/errors.go`).
    pub(super) fn told(self, of: &str, again: Timestamp) -> String {
        let Rule { burst, hours, anchor } = self.rule();
        let what = match self {
            Self::NewAccounts => format!("new registrations ({burst}) from this IP address"),
            Self::NewOrders => format!("new orders ({burst}) from this account"),
            Self::Certificates => format!("certificates ({burst}) already issued for {of:?}"),
            Self::ExactSet => {
                format!("certificates ({burst}) already issued for this exact set of identifiers")
            }
            Self::FailedAuthorizations => format!("failed authorizations ({burst}) for {of:?}"),
        };
        let again = again.strftime("%Y-%m-%d %H:%M:%S UTC");
        format!(
            "too many {what} in the last {hours}h0m0s, retry after {again}: \
             see https://letsencrypt.org/docs/rate-limits/#{anchor}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often one can be taken at once, and how many seconds until the next.
    fn measured(limit: Limit) -> (usize, u64) {
        let (mut bucket, now) = (limit.bucket(), Duration::from_secs(1 << 30));
        let taken = (0..1000).take_while(|_| bucket.take(now).is_ok()).count();
        (taken, bucket.take(now).unwrap_err().as_secs())
    }

    #[test]
    fn the_numbers_are_the_published_ones() {
        assert_eq!(measured(Limit::NewAccounts), (10, 18 * 60));
        assert_eq!(measured(Limit::NewOrders), (300, 36));
        assert_eq!(measured(Limit::Certificates), (50, 12_096), "about 202 minutes");
        assert_eq!(measured(Limit::ExactSet), (5, 120_960), "about 34 hours");
        assert_eq!(measured(Limit::FailedAuthorizations), (5, 12 * 60));
    }

    #[test]
    fn a_refusal_is_worded_as_lets_encrypt_words_it() {
        let again = "2026-11-22T20:48:52Z".parse().unwrap();
        assert_eq!(
            Limit::Certificates.told("example.com", again),
            "too many certificates (50) already issued for \"example.com\" in the last 168h0m0s, retry after \
             2026-11-22 20:48:52 UTC: see \
             https://letsencrypt.org/docs/rate-limits/#new-certificates-per-registered-domain"
        );
    }
}
