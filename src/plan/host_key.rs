//! The steps after which a server shows a host key that it has made itself.

use super::Step;
use crate::model::instance::Server;

/// Whatever is killed or lost, the labels name a key that is accepted: the injected one, with which the server signs its own.
const FIRST: &[Step] = &[Step::MakeHostKey, Step::SwitchHostKey];
/// While it may show either of two keys that nobody signed, its labels name both.
const REPLACE: &[Step] = &[Step::MakeHostKey, Step::LabelHostKey, Step::SwitchHostKey, Step::LabelHostKey];
/// The rest. Nothing is made any more: the server may already show the key that it made.
const FINISH: &[Step] = &[Step::LabelHostKey, Step::SwitchHostKey, Step::LabelHostKey];

/// What gives a server a host key of its own, of which nothing is known but that it has another one now.
pub(super) fn first() -> &'static [Step] {
    FIRST
}

/// What gives a server another one in place of its own; or, where that was begun, what ends it.
pub(super) fn replace(server: &Server) -> &'static [Step] {
    if server.is_replacing() { FINISH } else { REPLACE }
}
