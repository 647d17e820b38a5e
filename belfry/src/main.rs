//! Watches a Docker host, pages a person by mail, and proves that its backups restore.

fn main() {}
