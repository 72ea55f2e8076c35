//! The tables of `kafka-metadata-quorum` and `kafka-transactions`: columns as wide as their widest cell, tabs between.
//! Core (`ToolsUtils.prettyPrintTable`).

pub fn lines(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    assert!(rows.iter().all(|row| row.len() == head.len()), "a row has a cell for each column");
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[&str]| -> String {
        cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}\t")).collect()
    };
    let rows = rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    std::iter::once(line(head)).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell() {
        let rows = [vec!["1".to_owned(), "wider".to_owned()]];
        assert_eq!(lines(&["Id", "B"], &rows), ["Id\tB    \t", "1 \twider\t"]);
    }
}
