//! CAA records: which authorities may certify a name (RFC 8659), and how they may validate it (RFC 8657).

/// How our servers are validated.
const METHOD: &str = "tls-alpn-01";
/// The properties that authorities know; of another one they only have to heed that it is critical.
const KNOWN: [&str; 6] = ["issue", "issuewild", "iodef", "issuemail", "contactemail", "contactphone"];
/// The flag of a property without which nothing may be issued.
const CRITICAL: u8 = 128;

/// One record: `0 issue "letsencrypt.org; validationmethods=dns-01"`.
struct Property<'a> {
    flags: u8,
    tag: String,
    value: &'a str,
}

impl<'a> Property<'a> {
    fn parse(record: &'a str) -> Option<Self> {
        let (flags, rest) = record.trim().split_once(char::is_whitespace)?;
        let (tag, value) = rest.trim_start().split_once(char::is_whitespace)?;
        let value = value.trim().trim_matches('"');
        Some(Self { flags: flags.parse().ok()?, tag: tag.to_ascii_lowercase(), value })
    }

    /// The authority that it allows; none: it allows nobody.
    fn authority(&self) -> String {
        self.value.split(';').next().unwrap_or_default().trim().trim_end_matches('.').to_ascii_lowercase()
    }

    /// Whether it allows this authority to certify our servers, each of which has an account of its own.
    fn allows(&self, authority: &str) -> bool {
        let mut parameters = self.value.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
        self.authority() == authority
            && parameters.all(|(key, value)| match key.trim().to_ascii_lowercase().as_str() {
                "validationmethods" => value.split(',').any(|method| method.trim() == METHOD),
                "accounturi" => false,
                _ => true,
            })
    }
}

/// Whether these records, all of one name, let an authority certify it for our servers.
///
/// # Errors
/// What speaks against it.
pub fn allow(records: &[String], authority: &str) -> Result<(), String> {
    let properties: Vec<Property<'_>> = records.iter().filter_map(|record| Property::parse(record)).collect();
    let unknown = properties.iter().find(|one| one.flags & CRITICAL != 0 && !KNOWN.contains(&&*one.tag));
    if let Some(Property { tag, .. }) = unknown {
        return Err(format!("have the critical property {tag}, which no authority knows"));
    }
    let issue: Vec<&Property<'_>> = properties.iter().filter(|property| property.tag == "issue").collect();
    if issue.is_empty() || issue.iter().any(|property| property.allows(authority)) {
        return Ok(());
    }
    if issue.iter().any(|property| property.authority() == authority) {
        return Err(format!("let {authority} certify it only for another account or not by {METHOD}"));
    }
    let mut others: Vec<String> = issue.iter().map(|property| property.authority()).collect();
    others.retain(|other| !other.is_empty());
    Err(if others.is_empty() {
        "allow nobody".to_owned()
    } else {
        format!("allow only {}", others.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::allow;

    fn judged(records: &[&str]) -> Result<(), String> {
        let records: Vec<String> = records.iter().map(|record| (*record).to_owned()).collect();
        allow(&records, "letsencrypt.org")
    }

    #[test]
    fn who_is_named_may_and_where_nobody_is_all_may() {
        for records in [
            [].as_slice(),
            &["0 issue \"letsencrypt.org\""],
            &["0 ISSUE \"LetsEncrypt.org.\""],
            &["0 issue letsencrypt.org"],
            &["0 issue \"digicert.com\"", "0 issue \"letsencrypt.org\""],
            &["0 issue \"letsencrypt.org; validationmethods=http-01,tls-alpn-01\""],
            &["0 issue \"letsencrypt.org; x=y\"", "128 iodef \"mailto:a@example.org\""],
            // of names that are no wildcards these say nothing
            &["0 issuewild \";\"", "0 iodef \"mailto:a@example.org\""],
        ] {
            assert_eq!(judged(records), Ok(()), "{records:?}");
        }
    }

    #[test]
    fn who_is_not_named_may_not() {
        let another = "let letsencrypt.org certify it only for another account or not by tls-alpn-01";
        for (records, why) in [
            (["0 issue \";\""].as_slice(), "allow nobody"),
            (&["0 issue \"digicert.com\"", "0 issue \"pki.goog\""], "allow only digicert.com, pki.goog"),
            (&["0 issue \"letsencrypt.org; validationmethods=dns-01\""], another),
            (&["0 issue \"letsencrypt.org; accounturi=https://a.example/1\""], another),
            (
                &["0 issue \"letsencrypt.org\"", "128 tbs \"unknown\""],
                "have the critical property tbs, which no authority knows",
            ),
        ] {
            assert_eq!(judged(records), Err(why.to_owned()), "{records:?}");
        }
    }
}
