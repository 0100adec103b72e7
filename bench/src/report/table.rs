//! A table that is readable in a terminal and valid Markdown.

use std::fmt;

pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// The index of the first right-aligned column.
    right_from: usize,
}

impl Table {
    pub fn new(right_from: usize, head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut table = Self { rows: Vec::new(), right_from };
        table.row(head);
        table
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        // A Markdown delimiter row needs at least three dashes per column.
        (0..columns).map(|column| width(column).unwrap_or(0).max(3)).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, &width) in widths.iter().enumerate() {
                let cell = row.get(column).map_or("", String::as_str);
                if column < self.right_from {
                    write!(f, "| {cell:<width$} ")?;
                } else {
                    write!(f, "| {cell:>width$} ")?;
                }
            }
            writeln!(f, "|")?;
            if number == 0 {
                for (column, &width) in widths.iter().enumerate() {
                    let (dashes, end) = if column < self.right_from { (width, "") } else { (width - 1, ":") };
                    write!(f, "| {}{end} ", "-".repeat(dashes))?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        let mut table = Table::new(1, ["figure", "per s"]);
        table.row(["accepted", "1234.5"]);
        table.row(["x", "7"]);
        let want = "\
| figure   |  per s |
| -------- | -----: |
| accepted | 1234.5 |
| x        |      7 |
";
        assert_eq!(table.to_string(), want);
    }

    #[test]
    fn a_short_row_is_filled_up() {
        let mut table = Table::new(2, ["a", "b"]);
        table.row(["only"]);
        assert!(table.to_string().ends_with("| only |     |\n"));
    }
}
