//! The same through the program: it says what it said of the whole state, or refuses in a few lines.

use std::process::Command;

use super::{content, damage};

fn export(path: &std::path::Path) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_clawberth"))
        .args(["state", "export", "--state"])
        .arg(path)
        .env_clear()
        .env("HOME", path.parent().unwrap())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn what_is_exported_is_whole_or_nothing() {
    let state = content::make();
    let whole = export(&damage::laid(&state.file, None).path());
    assert_eq!((whole.0, whole.2.as_str()), (Some(0), ""));
    let mut chance = damage::Chance::of(4);
    let mut wrong = Vec::new();
    for _ in 0..60 {
        let (what, damaged) = chance.flip(&state.file, 0);
        let laid = damage::laid(&damaged, None);
        let (code, stdout, stderr) = export(&laid.path());
        let refused = code == Some(1)
            && stdout.is_empty()
            && stderr.starts_with("error: ")
            && stderr.lines().last().unwrap_or_default().starts_with("hint: ");
        if !refused && (code, &stdout) != (Some(0), &whole.1) {
            wrong.push(format!("{what}: {code:?} {stderr}{}", stdout.len()));
        }
        let kept = laid.files().iter().any(|file| std::fs::read(file).unwrap() == damaged);
        if !kept {
            wrong.push(format!("{what}: the file was changed"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
