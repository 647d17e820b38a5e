//! What a server and the files of its users say, for those who throw any bytes at it.

use std::sync::Arc;

use super::access::Access;
use super::rows::{self, Rows};
use super::{asked, catalogue, link, literal, settings};
use crate::pieces::{self, Sheet};

/// Reads the bytes as an address, a service file, a file of passwords, a statement, the
/// settings of a server, and the answers to all that it is asked.
///
/// # Panics
/// If a statement becomes more than one short line, or what is told of an answer is no page.
pub fn any(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = Access::parse(&text);
    let _ = Access::service(&text, "shop");
    if let Ok(mut access) = Access::parse("postgres://watch@db/shop") {
        access.look_up(&text);
    }
    let line = literal::free(&text);
    assert!(!line.contains('\n'), "{line}");
    let cells: Vec<Option<String>> = text.split('|').map(|cell| Some(cell.to_owned())).collect();
    for cell in cells.iter().flatten() {
        rows::number(cell);
    }
    let names = ["name", "setting", "unit", "short_desc"].map(str::to_owned);
    let whole = cells.len() / names.len() * names.len();
    let rows = Rows {
        names: names.to_vec(),
        cells: cells[..whole].to_vec(),
    };
    let mut sheet = Sheet::new(&"".into());
    settings::encode(&rows, &mut sheet);
    asked::any(&rows, &mut sheet);
    pieces::check(&pieces::page(&[Arc::new(sheet.finish())]));
    let _ = link::parse_version(&text);
    // Making as many pages takes a while: only of what is in columns.
    for collector in catalogue::all().filter(|_| cells.len() > 1) {
        let columns = collector.columns.iter().map(|column| column.column);
        let names = collector.labels.iter().copied().chain(columns);
        let names: Vec<String> = names.map(str::to_owned).collect();
        // One row: that a server's have labels of their own is up to the question.
        let cells = cells.iter().cloned().chain(std::iter::repeat(None));
        let cells = cells.take(names.len()).collect();
        let mut sheet = Sheet::new(&"any".into());
        collector.encode(&Rows { names, cells }, "server", &mut sheet);
        pieces::check(&pieces::page(&[Arc::new(sheet.finish())]));
    }
}
