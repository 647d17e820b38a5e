//! What a server and the files of its users say, for those who throw any bytes at it.

use super::access::Access;
use super::rows::{self, Rows};
use super::{literal, settings};
use crate::pieces::Sheet;

/// Reads the bytes as an address, a service file, a file of passwords, a statement, and
/// the settings of a server.
///
/// # Panics
/// If a statement becomes more than one short line.
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
    sheet.finish();
}
