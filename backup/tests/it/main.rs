//! Backups beside real servers: PostgreSQL, an S3 server, a Docker engine.

#[cfg(test)]
mod arguments;
#[cfg(test)]
mod bucket;
#[cfg(test)]
#[path = "../../../belfry/tests/it/support/claim.rs"]
#[expect(dead_code, reason = "networks are claimed by other tests")]
mod claim;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod drill_left;
#[cfg(test)]
mod drill_told;
mod dump;
#[cfg(test)]
mod dump_faults;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod large;
#[cfg(test)]
mod listed;
#[cfg(test)]
mod many;
#[cfg(test)]
mod noted;
#[cfg(test)]
mod ping;
#[cfg(test)]
mod place;
#[cfg(test)]
mod prune;
#[cfg(test)]
mod replace;
#[cfg(test)]
mod replace_faults;
#[cfg(test)]
mod replace_missed;
#[cfg(test)]
mod replicate;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod restore_around;
#[cfg(test)]
mod restore_crowd;
#[cfg(test)]
mod restore_haste;
#[cfg(test)]
mod restore_hooks;
#[cfg(test)]
mod restore_names;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod revision;
#[cfg(test)]
mod store;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod tree_faults;
#[cfg(test)]
mod tree_hang;
#[cfg(test)]
mod tree_parts;
#[cfg(test)]
mod tree_restore;
#[cfg(test)]
mod turn;
#[cfg(test)]
mod unchanged;
#[cfg(test)]
mod unfinished;
#[cfg(test)]
mod versions;
