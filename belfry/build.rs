//! A new migration is compiled in without anybody having to touch the crate, and in a
//! release functions that are used lie side by side.

use std::env::var;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

/// What `~` stands for in the list: a crate's name is preceded by a hash of ten letters or more.
const HASH: &str = "Cs??????????*_";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=order.txt");
    println!("cargo:rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let is = |name: &str, value: &str| var(name).is_ok_and(|it| it == value);
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    // Under other names the list means nothing, and not every linker reads such a script.
    let ours = flags.contains("symbol-mangling-version=v0") && !flags.contains("fuse-ld");
    if ours && is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let script = Path::new(&var("OUT_DIR").unwrap_or_default()).join("order.ld");
        fs::write(&script, ordered(&fs::read_to_string("order.txt")?))?;
        println!(
            "cargo:rustc-link-arg-bin=belfry=-Wl,-T,{}",
            script.display()
        );
    }
    Ok(())
}

/// What the linker puts before all other code, in the order of the list. A name that there
/// is no more means nothing, and the place of what is not named does not change.
fn ordered(list: &str) -> String {
    let mut script = String::from("SECTIONS {\n.text.ordered : {\n");
    let mut names: Vec<String> = Vec::new();
    for line in list.lines().chain(["#"]) {
        if !line.starts_with('#') {
            names.push(line.replace('~', HASH));
        } else if !names.is_empty() {
            script.push_str("*(");
            for name in names.drain(..) {
                let _ = write!(script, " .text.{name}");
            }
            script.push_str(")\n");
        }
    }
    // Tables that grow are among them; there are few.
    script + "*(.text.unlikely.*)\n}\n}\nINSERT BEFORE .text;\n"
}
