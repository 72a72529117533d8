//! Tables of text.

/// Which side of a column its cells lie on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Rows as lines, each column as wide as its widest cell, two spaces between them.
pub(crate) fn lines<const N: usize>(sides: [Side; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let space = " ".repeat(widths[column] - cell.chars().count());
            line.push_str(if column == 0 { "" } else { "  " });
            match sides[column] {
                Side::Left => line.extend([cell.as_str(), &space]),
                Side::Right => line.extend([space.as_str(), cell]),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_spaces() {
        let rows = [["é", "1", "x"], ["bbb", "100", ""]].map(|row| row.map(str::to_owned));
        let text = lines([Side::Left, Side::Right, Side::Left], &rows);
        assert_eq!(text, "é      1  x\nbbb  100\n");
    }
}
