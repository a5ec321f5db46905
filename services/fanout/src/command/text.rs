//! Makes text from outside safe for a terminal.

use std::fmt::Write as _;

/// How many bytes of a body are shown.
const SHOWN: usize = 4096;

/// How many bytes stand in one line.
const IN_LINE: usize = 16;

/// A text on one line without control characters: any publisher may have written it.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_direction(character) {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
    }
    plain
}

/// Marks that reverse the direction of the text around them.
fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text cut to a number of characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(3)).chain("...".chars()).collect()
}

/// Bytes as hexadecimal numbers and as text, side by side.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut dump = String::new();
    for (line, chunk) in bytes[..bytes.len().min(SHOWN)].chunks(IN_LINE).enumerate() {
        let _ = write!(dump, "{:08x} ", line * IN_LINE);
        for index in 0..IN_LINE {
            let gap = if index == IN_LINE / 2 { "  " } else { " " };
            let _ = match chunk.get(index) {
                Some(byte) => write!(dump, "{gap}{byte:02x}"),
                None => write!(dump, "{gap}  "),
            };
        }
        let text: String = chunk
            .iter()
            .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' })
            .collect();
        let _ = writeln!(dump, "  |{text}|");
    }
    if bytes.len() > SHOWN {
        let _ = writeln!(dump, "... {} more bytes; --body FILE writes them all", bytes.len() - SHOWN);
    }
    dump
}

/// Rows with their columns below each other; the last column is as long as it is.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut table = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_sent_no_commands() {
        assert_eq!(plain("a\u{1b}[2Jb\n\u{202e}c"), "a\\u{1b}[2Jb\\n\\u{202e}c");
        assert_eq!(plain("Grüße"), "Grüße");
    }

    #[test]
    fn long_texts_are_cut_by_characters() {
        assert_eq!(cut("Grüße", 5), "Grüße");
        assert_eq!(cut("Grüße!", 5), "Gr...");
    }

    #[test]
    fn bytes_stand_as_numbers_and_as_text() {
        let dump = hex(b"\xc3\x01 fanfare, hello!\n");
        let expected = "00000000  c3 01 20 66 61 6e 66 61  72 65 2c 20 68 65 6c 6c  |.. fanfare, hell|\n\
                        00000010  6f 21 0a                                          |o!.|\n";
        assert_eq!(dump, expected);
        assert!(hex(&[0; SHOWN + 7]).ends_with("... 7 more bytes; --body FILE writes them all\n"));
        assert_eq!(hex(b""), "");
    }

    #[test]
    fn columns_stand_below_each_other() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        assert_eq!(table(&[row(["ID", "ORG", "X"]), row(["0-17", "-", "a b"])]), "ID    ORG  X\n0-17  -    a b\n");
    }
}
