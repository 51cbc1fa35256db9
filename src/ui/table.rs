//! Tables of text.

/// Spaces between two columns.
const GAP: usize = 2;

/// Aligns columns with two spaces between; the first row is the heading.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + GAP));
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text.pop();
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up_and_lines_end_where_their_text_ends() {
        let rows =
            [["NAME", "STAGE"], ["alice", "serving"], ["b", ""]].map(|row| row.map(String::from).to_vec());
        assert_eq!(table(&rows), "NAME   STAGE\nalice  serving\nb");
    }
}
