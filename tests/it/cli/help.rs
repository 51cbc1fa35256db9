//! The help of every command, as golden text: `UPDATE_GOLDEN=1` rewrites it.

use std::path::PathBuf;

use super::environment::Environment;

const COMMANDS: [&str; 45] = [
    "",
    "init",
    "deploy",
    "list",
    "show",
    "ssh",
    "exec",
    "ssh-config",
    "open",
    "releases",
    "update",
    "rollback",
    "apply",
    "access",
    "audit",
    "rotate",
    "keys",
    "keys list",
    "keys add",
    "keys remove",
    "keys rotate",
    "image",
    "image bake",
    "image list",
    "image prune",
    "pool",
    "pool fill",
    "pool status",
    "pool drain",
    "destroy",
    "reconcile",
    "state",
    "state export",
    "state import",
    "state check",
    "state backup",
    "state history",
    "state copy",
    "lab",
    "lab up",
    "lab api",
    "lab down",
    "lab status",
    "lab env",
    "lab exec",
];

#[test]
fn each_command_explains_itself() {
    let environment = Environment::new();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/help");
    for command in COMMANDS {
        let mut args: Vec<&str> = command.split_whitespace().collect();
        args.push("--help");
        let outcome = environment.run(&args);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{command}");
        let name = if command.is_empty() { "clawberth" } else { command };
        let path = folder.join(format!("{}.txt", name.replace(' ', "-")));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &outcome.stdout).unwrap();
        }
        let wanted = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            outcome.stdout == wanted,
            "{} changed; UPDATE_GOLDEN=1 accepts:\n{}",
            path.display(),
            outcome.stdout
        );
    }
}
