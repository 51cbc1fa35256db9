//! What finds damage that SQLite does not see: it has no checksums of its pages, so that a flipped bit in a text would be read
//! as if it had been written. Each row has a hash of its columns, and there are seals over all rows
//! that belong together, so that none is missed: over the instances, over the sessions, over each subject's history and host keys.

use sha2::{Digest as _, Sha256};

/// The hash of a row's columns: the first eight bytes of their SHA-256.
pub(super) fn hash<'a>(columns: impl IntoIterator<Item = Option<&'a str>>) -> i64 {
    hash_of_bytes(columns.into_iter().map(|column| column.map(str::as_bytes)))
}

/// The same where the columns may not be UTF-8 any more.
pub(super) fn hash_of_bytes<'a>(columns: impl IntoIterator<Item = Option<&'a [u8]>>) -> i64 {
    let mut sha = Sha256::new();
    for column in columns {
        match column {
            Some(text) => {
                sha.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
                sha.update(text);
            }
            None => sha.update([0xff; 8]),
        }
    }
    let digest = sha.finalize();
    let mut first = [0; 8];
    first.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    i64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn what_moves_from_one_column_to_the_next_is_another_row() {
        assert_ne!(hash([Some("ab"), Some("c")]), hash([Some("a"), Some("bc")]));
        assert_ne!(hash([None]), hash([Some("")]));
        assert_eq!(hash([Some("a"), None]), hash([Some("a"), None]));
    }
}
