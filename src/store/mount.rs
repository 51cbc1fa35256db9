//! What kind of file system a folder is on, by the kernel's list of mounts (proc_pid_mountinfo(5)).

use std::path::{Path, PathBuf};

/// File systems over a network: their locks and their shared memory do not hold what SQLite's journal needs
/// (<https://www.sqlite.org/wal.html>).
const NETWORKS: [&str; 20] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "fuse.davfs2",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "lustre",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
    "virtiofs",
];

/// The kind of a folder's file system, if it is one over a network. Nothing where the kernel has no list of mounts.
pub(super) fn network(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    kind_of(&folder, &mounts).filter(|kind| NETWORKS.contains(&kind.as_str()))
}

/// The kind of the file system that is mounted nearest above a path; of several at one place the last.
fn kind_of(path: &Path, mounts: &str) -> Option<String> {
    let above = mounts.lines().filter_map(parse).filter(|(at, _)| path.starts_with(at));
    above.max_by_key(|(at, _)| at.components().count()).map(|(_, kind)| kind)
}

/// A line: where, and of what kind.
fn parse(line: &str) -> Option<(PathBuf, String)> {
    let (before, after) = line.split_once(" - ")?;
    let at = before.split(' ').nth(4)?;
    Some((PathBuf::from(unescaped(at)), after.split(' ').next()?.to_owned()))
}

/// Spaces, tabs, line ends and backslashes are written as octal numbers.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:30 / /home rw - nfs4 server:/home rw,vers=4.2
41 40 0:31 / /home/alice/my\\040disk rw - ext4 /dev/vdb rw
42 22 0:32 / /mnt rw - tmpfs tmpfs rw
43 42 0:33 / /mnt rw - fuse.sshfs host: rw
";

    fn kind(path: &str) -> String {
        kind_of(Path::new(path), MOUNTS).unwrap()
    }

    #[test]
    fn the_nearest_mount_counts_and_of_two_at_one_place_the_last() {
        assert_eq!(kind("/var/lib"), "ext4");
        assert_eq!(kind("/home/alice"), "nfs4");
        assert_eq!(kind("/homes"), "ext4");
        assert_eq!(kind("/home/alice/my disk/state"), "ext4");
        assert_eq!(kind("/mnt/state"), "fuse.sshfs");
    }

    #[test]
    fn what_is_on_a_network_is_known_by_its_kind() {
        for kind in ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"] {
            assert!(NETWORKS.contains(&kind), "{kind}");
        }
        assert_eq!(network(Path::new("/proc")), None);
    }
}
