//! Which failures are worth another try: a function of the typed error.

use super::error::Error;

/// Whether a request may be sent again without a second thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// GET, PUT and DELETE: twice is the same as once.
    Safe,
    /// POST: only when it is known that nothing happened.
    OnlyIfRefused,
}

/// Tries in all, as hcloud-go has them.
pub(super) const TRIES: u32 = 5;

/// hcloud-go's table: `conflict`, `rate_limit_exceeded`, `bad_gateway`, `timeout`, bare 502 and 504, no answer.
/// Not `locked`, `resource_unavailable`, 500 or 503. A POST is repeated only after codes that say it was not done.
pub(super) fn worth_another_try(error: &Error, repeat: Repeat) -> bool {
    match (error, repeat) {
        (Error::Api(api), Repeat::Safe) => {
            matches!(api.code.as_str(), "conflict" | "rate_limit_exceeded" | "bad_gateway" | "timeout")
        }
        (Error::Api(api), Repeat::OnlyIfRefused) => {
            matches!(api.code.as_str(), "conflict" | "rate_limit_exceeded")
        }
        (Error::Unanswered { source, .. }, Repeat::Safe) => !source.is_connect() || source.is_timeout(),
        (Error::Unanswered { .. }, Repeat::OnlyIfRefused) => false,
        (Error::Garbled { .. } | Error::Request { .. }, Repeat::Safe | Repeat::OnlyIfRefused) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::ApiError;
    use super::*;

    fn api(status: u16, code: &str) -> Error {
        let (code, message) = (code.to_owned(), String::new());
        Error::Api(ApiError { status, code, message, fields: Vec::new(), correlation_id: None })
    }

    #[test]
    fn the_table() {
        let rows = [
            (409, "conflict", true, true),
            (429, "rate_limit_exceeded", true, true),
            (502, "bad_gateway", true, false),
            (504, "timeout", true, false),
            (423, "locked", false, false),
            (412, "resource_unavailable", false, false),
            (409, "uniqueness_error", false, false),
            (500, "server_error", false, false),
            (503, "unavailable", false, false),
        ];
        for (status, code, safe, refused) in rows {
            let error = api(status, code);
            assert_eq!(worth_another_try(&error, Repeat::Safe), safe, "{code}");
            assert_eq!(worth_another_try(&error, Repeat::OnlyIfRefused), refused, "{code}");
        }
    }
}
