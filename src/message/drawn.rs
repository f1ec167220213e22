//! Tables and charts in letters of one width: how every platform shows them that has nothing better, and how wide they are.

use super::card::{Chart, Table};
use super::words::{cut, number};

/// A column of letters takes no more of a line.
const CELL: usize = 40;
/// The longest bar.
const BAR: u32 = 30;

/// Columns under their heads. The last one is not filled up, so that nothing hangs over.
#[must_use]
pub fn table(table: &Table) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(&table.head)
        .chain(&table.rows)
        .map(|row| row.iter().map(|cell| cut(cell, CELL)).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A bar for each value, as long as its count beside the largest; what is counted at all has a bar.
#[must_use]
pub fn chart(chart: &Chart) -> String {
    let most = chart.bars.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    let width = chart.bars.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let bar = |(label, n): &(String, u32)| {
        let length = (u64::from(*n) * u64::from(BAR)).div_ceil(u64::from(most));
        let bar = "█".repeat(usize::try_from(length).unwrap_or(0));
        if *n == 0 { format!("{label:>width$} |") } else { format!("{label:>width$} |{bar} {}", number(*n)) }
    };
    let bars = chart.bars.iter().map(bar);
    std::iter::once(chart.title.clone()).chain(bars).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_heads_and_long_cells_are_cut() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let drawn = table(&Table {
            head: row(["node", "account", "id"]),
            rows: vec![row(["web-1", "acme-prod", "i-1"]), row([&"x".repeat(60), "a", "i-2"])],
        });
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines[0].find("account"), lines[1].find("acme-prod"));
        assert!(lines[2].starts_with(&format!("{}…  a", "x".repeat(39))), "{drawn}");
    }

    #[test]
    fn the_largest_bar_is_the_longest_and_a_single_node_among_thousands_is_seen() {
        let bars = [("0–50%", 9_000), ("50–90%", 0), ("90–100%", 1)].map(|(label, n)| (label.to_owned(), n)).to_vec();
        let drawn = chart(&Chart { title: "use: nodes by value".into(), bars });
        assert_eq!(
            drawn,
            format!("use: nodes by value\n  0–50% |{} 9,000\n 50–90% |\n90–100% |█ 1", "█".repeat(30)),
            "each under the other"
        );
    }
}
