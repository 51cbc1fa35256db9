//! A mirror of the official Node distribution, for machines that cannot reach it: same layout, same binaries,
//! assembled from what the npm registry has of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::cache::Cache;
use super::tool;

/// Version and day of publication, newest first, as the index has them.
const VERSIONS: [(&str, &str); 2] = [("26.10.0", "2026-09-23"), ("24.21.0", "2026-09-10")];
const NPM: &str = "11.21.2";
/// About 20 s in all with a near registry.
const STEP: Duration = Duration::from_secs(5 * 60);

/// The mirror's directory in the cache, filled if need be.
pub(super) async fn prepare(cache: &Cache) -> Result<PathBuf> {
    let recipe = format!("1\n{VERSIONS:?}\n{NPM}\n{}", architecture()?);
    cache.entry("node", &recipe, build).await
}

/// Serves the directory.
pub(super) fn router(root: PathBuf) -> Router {
    Router::new().fallback(file).with_state(root)
}

async fn build(dir: &Path) -> Result<()> {
    let mut index = Vec::new();
    for (version, date) in VERSIONS {
        index.push(distribution(dir, version, date).await.with_context(|| format!("node {version}"))?);
    }
    Ok(fs::write(dir.join("index.json"), serde_json::to_vec_pretty(&index)?)?)
}

/// Assembles one version and returns its line of the index.
async fn distribution(dir: &Path, version: &str, date: &str) -> Result<Value> {
    let (platform, target) = (format!("linux-{}", architecture()?), dir.join(format!("v{version}")));
    let (name, work) = (format!("node-v{version}-{platform}"), target.join("work"));
    let tree = work.join(&name);
    for part in ["bin", "lib/node_modules/npm"] {
        fs::create_dir_all(tree.join(part))?;
    }
    unpack(&work, &format!("node-{platform}"), version, &tree, "package/bin/node").await?;
    unpack(&work, "npm", NPM, &tree.join("lib/node_modules/npm"), "package").await?;
    for tool in ["npm", "npx"] {
        std::os::unix::fs::symlink(
            format!("../lib/node_modules/npm/bin/{tool}-cli.js"),
            tree.join("bin").join(tool),
        )?;
    }
    let about = about(&tree.join("bin/node")).await?;
    let archive = format!("{name}.tar.gz");
    let (target_file, work_text) = (target.join(&archive), work.to_string_lossy().into_owned());
    let fixed = ["--sort=name", "--owner=0", "--group=0", "--mtime=@0", "--use-compress-program=gzip -n -1"];
    let file = target_file.to_string_lossy();
    let words = fixed.into_iter().chain(["-C", &work_text, "-cf", file.as_ref(), &name]);
    tool::run("tar", words, STEP).await?;
    let sum = Sha256::digest(fs::read(&target_file)?);
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(target.join("SHASUMS256.txt"), format!("{sum}  {archive}\n"))?;
    super::cache::remove(&work)?;
    Ok(json!({
        "version": format!("v{version}"), "date": date, "files": [platform], "npm": NPM,
        "v8": about.get("v8"), "uv": about.get("uv"), "zlib": about.get("zlib"), "openssl": about.get("openssl"),
        "modules": about.get("modules"), "lts": about.get("lts"), "security": false,
    }))
}

/// Fetches a package and puts a part of it below `target`. npm checks it against the registry's integrity.
async fn unpack(work: &Path, package: &str, version: &str, target: &Path, part: &str) -> Result<()> {
    let destination = format!("--pack-destination={}", work.display());
    tool::run("npm", ["pack", "--silent", &destination, &format!("{package}@{version}")], STEP).await?;
    let archive = work.join(format!("{package}-{version}.tgz"));
    let (archive, target) = (archive.to_string_lossy(), target.to_string_lossy());
    let words = ["--strip-components=1", "-C", target.as_ref(), "-xzf", archive.as_ref(), part];
    tool::run("tar", words, STEP).await.map(drop)
}

/// What the binary says about itself, so that the index tells the truth.
async fn about(node: &Path) -> Result<Value> {
    let script = "JSON.stringify({...process.versions, lts: process.release.lts || false})";
    let said = tool::run(&node.to_string_lossy(), ["-p", script], STEP).await?;
    serde_json::from_str(&said).context("node describes itself in another way")
}

fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("x64"),
        "aarch64" => Ok("arm64"),
        other => bail!("the lab has no Node for {other}"),
    }
}

async fn file(State(root): State<PathBuf>, uri: Uri) -> Response {
    // A distribution has nothing but directories and files named with these.
    let path = uri.path().trim_start_matches('/');
    let plain = |part: &str| !part.starts_with('.') && !part.is_empty();
    if !path.split('/').all(plain) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match open(&root.join(path)).await {
        Ok(Some((file, size))) => ([(header::CONTENT_LENGTH, size)], pieces(file)).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn open(path: &Path) -> std::io::Result<Option<(File, u64)>> {
    let file = match File::open(path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let about = file.metadata().await?;
    Ok(about.is_file().then_some((file, about.len())))
}

/// A file in pieces: twenty machines fetch 50 MB each at the same time.
fn pieces(file: File) -> Body {
    Body::from_stream(stream::try_unfold(file, async |mut file| {
        let mut piece = Vec::with_capacity(1 << 16);
        let size = file.read_buf(&mut piece).await?;
        Ok::<_, std::io::Error>((size > 0).then(|| (Bytes::from(piece), file)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn serves_what_is_in_the_directory_and_nothing_beside_it() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("mirror");
        fs::create_dir_all(root.join("v1")).unwrap();
        fs::write(root.join("v1/SHASUMS256.txt"), "sum").unwrap();
        fs::write(temp.path().join("secret"), "s").unwrap();
        let get = async |path: &str| file(State(root.clone()), path.parse().unwrap()).await;
        let found = get("/v1/SHASUMS256.txt").await;
        assert_eq!(found.headers()[header::CONTENT_LENGTH], "3");
        assert_eq!(axum::body::to_bytes(found.into_body(), 9).await.unwrap(), "sum");
        for path in ["/v1", "/v2/x", "/../secret", "/v1/../../secret", "//etc/passwd"] {
            assert_eq!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
