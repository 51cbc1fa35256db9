//! Which module may use which: the map of ARCHITECTURE.md, read off the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Left may use right. Whatever is not here is forbidden.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "apply", "config", "hcloud", "host", "lab", "model", "observe", "plan", "registry", "render",
            "ssh", "store", "ui",
        ],
    ),
    ("apply", &["hcloud", "host", "model", "observe", "plan", "render", "ssh", "store"]),
    ("observe", &["hcloud", "host", "model"]),
    ("host", &["model", "registry", "render", "ssh"]),
    ("ui", &["model", "plan"]),
    ("plan", &["model"]),
    ("render", &["model"]),
    ("config", &["model"]),
    ("store", &["model"]),
    ("registry", &["model"]),
    ("hcloud", &[]),
    ("ssh", &[]),
    ("model", &[]),
    ("lab", &[]),
];

/// Everyone may use these; they use nothing of ours.
const LEAVES: &[&str] = &["backoff", "clock", "entropy", "secret"];

/// What `plan` and `model` must not mention: they are pure, and get such things as arguments.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "russh",
    "std::fs",
    "std::env",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "rand::",
];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

fn module_of(path: &Path, src: &Path) -> String {
    let first = path.strip_prefix(src).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Every module that is named behind `crate::`, also in grouped imports.
fn used(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let word =
        |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    code.split("crate::").skip(1).map(word).filter(|module| !module.is_empty()).collect()
}

#[test]
fn modules_use_only_what_the_map_allows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for path in sources(&src) {
        let module = module_of(&path, &src);
        if ["main", "lib"].contains(&module.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for target in used(&text) {
            let leaf = LEAVES.contains(&target.as_str()) && module != "lab";
            let arrow =
                allowed.get(module.as_str()).is_some_and(|targets| targets.contains(&target.as_str()));
            if target != module && !leaf && !arrow {
                wrong.push(format!("{}: {module} → {target}", path.strip_prefix(&src).unwrap().display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that ARCHITECTURE.md does not have:\n{}", wrong.join("\n"));
}

#[test]
fn plan_and_model_are_pure() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for path in [src.join("plan"), src.join("model")].iter().flat_map(|dir| sources(dir)) {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        wrong.extend(
            IMPURE
                .iter()
                .filter(|word| code.contains(**word))
                .map(|word| format!("{}: {word}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
