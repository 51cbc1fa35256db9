//! Makes the staged release another one: a module of our own comes before all that the gateway does.

use super::bed::Bed;
use super::parts::NAME;

const DIST: &str = "/opt/openclaw/2026.9.6/lib/node_modules/openclaw/dist";

/// Where the staged release is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    Always,
    /// It does well on a copy of the state, so that only the switch or the gate can meet it.
    NotInRehearsal,
}

/// Code for Node; `quiet` in it says whether it is to do nothing.
pub(super) fn break_it(bed: &Bed, code: &str, shows: Shows) {
    bed.on(NAME, &breaking(code, shows));
}

pub(super) fn mend_it(bed: &Bed) {
    bed.on(NAME, &mending());
}

/// What a shell on the server does for it.
pub(super) fn breaking(code: &str, shows: Shows) -> String {
    let quiet = match shows {
        Shows::Always => "false",
        Shows::NotInRehearsal => "process.env.OPENCLAW_SKIP_CHANNELS === \"1\"",
    };
    format!(
        "cd {DIST}; cp -n index.js index.js.real; sed '1a import \"./broken.js\";' index.js.real >index.js
cat >broken.js <<'END'
const quiet = {quiet};
{code}
END
"
    )
}

pub(super) fn mending() -> String {
    format!("cd {DIST}; mv index.js.real index.js; rm broken.js\n")
}
