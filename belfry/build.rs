//! A new migration is compiled in without anybody having to touch the crate.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
