//! Labels and the language that selects by them.

use std::collections::BTreeMap;

use super::error::ApiError;

/// A resource's labels.
pub(crate) type Labels = BTreeMap<String, String>;

/// Refuses labels that the API would refuse, with the field `labels`.
pub(crate) fn check(labels: &Labels) -> Result<(), ApiError> {
    for (key, value) in labels {
        if !valid_key(key) {
            return Err(ApiError::field("labels", &format!("label key '{key}' is invalid")));
        }
        if key.starts_with("hetzner.cloud/") {
            return Err(ApiError::field("labels", "label keys cannot start with 'hetzner.cloud/'"));
        }
        if !valid_value(value) {
            return Err(ApiError::field("labels", &format!("label value '{value}' is invalid")));
        }
    }
    Ok(())
}

fn valid_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => valid_prefix(prefix) && valid_name(name),
        None => valid_name(key),
    }
}

fn valid_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn valid_value(text: &str) -> bool {
    text.is_empty() || valid_name(text)
}

fn valid_prefix(prefix: &str) -> bool {
    let label = |l: &str| {
        let edge = |c: char| c.is_ascii_alphanumeric();
        l.len() <= 63
            && l.starts_with(edge)
            && l.ends_with(edge)
            && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    prefix.len() <= 253 && prefix.split('.').all(label)
}

/// `env in (a,b),!old`: all terms must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selector(Vec<Term>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Has(String),
    Lacks(String),
    In(String, Vec<String>),
    /// Also true where the key is absent.
    NotIn(String, Vec<String>),
}

impl Selector {
    /// Reads a selector; an empty one selects everything.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let wrong = || ApiError::field("label_selector", "label selector is invalid");
        if text.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        terms(text).map(|t| term(t.trim())).collect::<Option<Vec<_>>>().map(Self).ok_or_else(wrong)
    }

    /// Whether labels fulfil all terms.
    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|term| match term {
            Term::Has(key) => labels.contains_key(key),
            Term::Lacks(key) => !labels.contains_key(key),
            Term::In(key, values) => labels.get(key).is_some_and(|v| values.contains(v)),
            Term::NotIn(key, values) => labels.get(key).is_none_or(|v| !values.contains(v)),
        })
    }
}

/// Splits at the commas outside parentheses.
fn terms(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
}

fn term(text: &str) -> Option<Term> {
    if let Some((key, values)) = set(text, " notin") {
        return Some(Term::NotIn(self::key(key)?, self::values(values)?));
    }
    if let Some((key, values)) = set(text, " in") {
        return Some(Term::In(self::key(key)?, self::values(values)?));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Some(Term::NotIn(self::key(key)?, vec![self::value(value)?]));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Some(Term::In(self::key(key)?, vec![self::value(value)?]));
    }
    match text.strip_prefix('!') {
        Some(key) => self::key(key).map(Term::Lacks),
        None => self::key(text).map(Term::Has),
    }
}

/// `k in (a,b)` → `k` and `a,b`.
fn set<'a>(text: &'a str, operator: &str) -> Option<(&'a str, &'a str)> {
    let (key, rest) = text.split_once(operator)?;
    let values = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
    Some((key, values))
}

fn key(text: &str) -> Option<String> {
    let text = text.trim();
    valid_key(text).then(|| text.to_owned())
}

fn value(text: &str) -> Option<String> {
    let text = text.trim();
    valid_value(text).then(|| text.to_owned())
}

fn values(text: &str) -> Option<Vec<String>> {
    text.split(',').map(value).collect()
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::seq::IndexedRandom;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn selects(selector: &str, pairs: &[(&str, &str)]) -> bool {
        Selector::parse(selector).unwrap().matches(&labels(pairs))
    }

    #[test]
    fn each_form_of_the_grammar_selects_what_it_says() {
        let prod = [("env", "prod"), ("tier", "web")];
        for selector in [
            "",
            "env=prod",
            "env==prod",
            "env!=test",
            "other!=x",
            "env",
            "!other",
            "env in (test,prod)",
            "env in ( test , prod )",
            "env notin (test,dev)",
            "other notin (x)",
            "env=prod,!other,tier in (web)",
            "env = prod",
            " env , tier ",
            "env in(prod)",
        ] {
            assert!(selects(selector, &prod), "{selector:?} should select");
        }
        for selector in [
            "env=test",
            "env==test",
            "env!=prod",
            "other",
            "!env",
            "env in (test)",
            "env notin (prod,test)",
            "env=prod,other",
            "other in (x)",
            "env=",
        ] {
            assert!(!selects(selector, &prod), "{selector:?} should not select");
        }
        assert!(selects("example.com/my=a-b_c.d", &[("example.com/my", "a-b_c.d")]));
        assert!(selects("just-a-key=", &[("just-a-key", "")]));
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for selector in
            ["=a", "a=b=c", "a in b", "a in (b", "!!a", "a,,b", ",", "a b", "-a", "a=-b", "a in (b c)"]
        {
            assert!(Selector::parse(selector).is_err(), "{selector:?} should be refused");
        }
    }

    #[test]
    fn labels_are_checked_as_documented() {
        let ok = |k: &str, v: &str| check(&labels(&[(k, v)])).is_ok();
        assert!(
            ok("env", "")
                && ok("a", "b")
                && ok("example.com/my", "v")
                && ok(&"k".repeat(63), &"v".repeat(63))
        );
        for (k, v) in [
            ("", "v"),
            ("-a", "v"),
            ("a-", "v"),
            ("a b", "v"),
            ("a/b/c", "v"),
            ("/a", "v"),
            ("a/", "v"),
            ("hetzner.cloud/a", "v"),
            ("a", "-v"),
            ("a", "v v"),
            ("ä", "v"),
            ("a", "ü"),
        ] {
            assert!(!ok(k, v), "{k:?}={v:?} should be refused");
        }
        assert!(!ok(&"k".repeat(64), "v") && !ok("k", &"v".repeat(64)));
    }

    fn pick(rng: &mut StdRng, from: &[&'static str]) -> &'static str {
        from.choose(rng).unwrap()
    }

    /// A term by chance, and whether labels fulfil it.
    fn term(rng: &mut StdRng, labels: &Labels) -> (String, bool) {
        let (key, value) =
            (pick(rng, &["a", "in", "notin", "example.com/k"]), pick(rng, &["", "x", "y-1.Z"]));
        let has = labels.get(key).map(String::as_str);
        let others: Vec<&str> = (0..rng.random_range(0..3)).map(|_| pick(rng, &["", "x", "z"])).collect();
        let all = [others.as_slice(), &[value]].concat();
        let mut gap = || pick(rng, &["", " ", "  "]);
        let set = all.join(&format!("{},{}", gap(), gap()));
        match gap().len() * 3 + gap().len() {
            0 | 1 => (format!("{}{key}{}", gap(), gap()), has.is_some()),
            2 => (format!("!{key}{}", gap()), has.is_none()),
            3 => (format!("{key}{}={}{value}", gap(), gap()), has == Some(value)),
            4 => (format!("{key}{}=={}{value}", gap(), gap()), has == Some(value)),
            5 | 6 => (format!("{key}{}!={}{value}", gap(), gap()), has != Some(value)),
            7 => (format!("{key} {}in{}({set})", gap(), gap()), has.is_some_and(|v| all.contains(&v))),
            _ => (format!("{key} {}notin{}({set})", gap(), gap()), !has.is_some_and(|v| all.contains(&v))),
        }
    }

    #[test]
    fn selectors_by_chance_mean_what_they_say() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..5000 {
            let keys = ["a", "in", "notin", "example.com/k", "b"];
            let labels: Labels = (0..rng.random_range(0..4))
                .map(|_| (pick(&mut rng, &keys).to_owned(), pick(&mut rng, &["", "x", "y-1.Z"]).to_owned()))
                .collect();
            let terms: Vec<_> = (0..rng.random_range(1..4)).map(|_| term(&mut rng, &labels)).collect();
            let text = terms.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(",");
            let wanted = terms.iter().all(|(_, holds)| *holds);
            assert_eq!(
                Selector::parse(&text).map(|s| s.matches(&labels)).ok(),
                Some(wanted),
                "{text:?} on {labels:?}"
            );
        }
    }

    #[test]
    fn noise_is_a_selector_only_if_its_signs_are() {
        let mut rng = StdRng::seed_from_u64(2);
        let signs: Vec<char> = "ab1-_./=!,() \tint\0é".chars().collect();
        for _ in 0..20_000 {
            let text: String =
                (0..rng.random_range(0..14)).map(|_| *signs.choose(&mut rng).unwrap()).collect();
            if Selector::parse(&text).is_ok() {
                let opened = text.matches('(').count();
                assert!(opened == text.matches(')').count() && !text.contains(['\0', 'é']), "{text:?}");
            }
        }
    }

    #[test]
    fn one_wrong_sign_spoils_a_label() {
        let mut rng = StdRng::seed_from_u64(3);
        let inner: Vec<char> = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain("-_.".chars()).collect();
        for _ in 0..5000 {
            let middle: String =
                (0..rng.random_range(0..61)).map(|_| *inner.choose(&mut rng).unwrap()).collect();
            let good = format!("a{middle}Z");
            let ok = |k: &str, v: &str| check(&labels(&[(k, v)])).is_ok();
            assert!(ok(&good, &good) && ok(&format!("x-1.example/{good}"), ""), "{good}");
            let mut bad: Vec<char> = good.chars().collect();
            let place = rng.random_range(0..=bad.len());
            bad.insert(place, *[' ', '/', 'ä', '\0', '=', ',', '('].choose(&mut rng).unwrap());
            let bad: String = bad.into_iter().collect();
            assert!(!ok("k", &bad) && !ok(&format!("x/{bad}"), "v"), "{bad:?}");
            let edge = pick(&mut rng, &["-", "_", "."]);
            assert!(
                !ok("k", &format!("{edge}{good}")) && !ok(&format!("{good}{edge}"), "v"),
                "{edge} {good}"
            );
        }
    }
}
