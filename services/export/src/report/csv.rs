//! Cells and rows of a CSV file.

/// Appends a row.
pub(super) fn push_row(out: &mut String, cells: &[&str]) {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_cell(out, cell);
    }
    out.push_str("\r\n");
}

fn push_cell(out: &mut String, cell: &str) {
    // Spreadsheets run a cell that starts like this as a formula, and an org may be called "-1" or "@sum".
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = formula || cell.contains([',', '"', '\r', '\n']);
    if !quoted {
        out.push_str(cell);
        return;
    }
    out.push('"');
    if formula {
        out.push('\'');
    }
    out.push_str(&cell.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_needed_and_never_run() {
        let mut out = String::new();
        push_row(&mut out, &["a", "b,c", "d\"e", "@sum", "-1", "", "1"]);
        assert_eq!(out, "a,\"b,c\",\"d\"\"e\",\"'@sum\",\"'-1\",,1\r\n");
    }
}
