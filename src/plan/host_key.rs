//! The steps after which a server shows a host key that it has made itself.

use super::Step;
use crate::model::instance::Server;

/// While it may show either of two keys, its labels name both, so that any kill and any loss of the state finds one that is accepted.
const REPLACE: &[Step] = &[Step::MakeHostKey, Step::LabelHostKey, Step::SwitchHostKey, Step::LabelHostKey];
/// The rest. Nothing is made any more: the server may already show the key that it made.
const FINISH: &[Step] = &[Step::LabelHostKey, Step::SwitchHostKey, Step::LabelHostKey];

/// What gives a server a host key of its own, of which nothing is known but that it has another one now.
pub(super) fn first() -> &'static [Step] {
    REPLACE
}

/// What gives a server another one in place of its own; or, where that was begun, what ends it.
pub(super) fn replace(server: &Server) -> &'static [Step] {
    if is_begun(server) { FINISH } else { REPLACE }
}

/// Whether a server has made another key in place of its own, and was not seen to show it.
pub(super) fn is_begun(server: &Server) -> bool {
    server.own_host_key && server.next_host_key.is_some()
}
