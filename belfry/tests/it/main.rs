//! The whole program beside real servers: one binary, a file for each subject.

#[cfg(test)]
mod access_logs;
#[cfg(test)]
mod acknowledging;
#[cfg(test)]
mod alertmanager;
#[cfg(test)]
mod alertmanager_clients;
#[cfg(test)]
mod alertmanager_figures;
mod alertmanager_notices;
mod alertmanager_people;
#[cfg(test)]
mod alertmanager_storm;
#[cfg(test)]
mod at_rest;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod backup_attest;
#[cfg(test)]
mod backup_bootstrap;
#[cfg(test)]
mod backup_bootstrap_history;
#[cfg(test)]
mod backup_copies;
#[cfg(test)]
mod backup_coverage;
#[cfg(test)]
mod backup_drill;
#[cfg(test)]
mod backup_drill_late;
#[cfg(test)]
mod backup_exec;
#[cfg(test)]
mod backup_files;
#[cfg(test)]
mod backup_kill_requests;
#[cfg(test)]
mod backup_kills;
#[cfg(test)]
mod backup_overlap;
#[cfg(test)]
mod backup_quiet;
#[cfg(test)]
mod backup_restore;
#[cfg(test)]
mod bad_probes;
#[cfg(test)]
mod bad_targets;
mod bounces;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod context;
#[cfg(test)]
mod deadman;
#[cfg(test)]
mod disaster;
#[cfg(test)]
mod engine_faults;
#[cfg(test)]
mod escalating;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod exporters;
#[cfg(test)]
mod firing;
#[cfg(test)]
mod grafana;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod health_command;
#[cfg(test)]
mod health_page;
#[cfg(test)]
mod heartbeats;
#[cfg(test)]
mod hung_files;
#[cfg(test)]
mod hung_starts;
#[cfg(test)]
mod in_a_container;
#[cfg(test)]
mod in_prometheus_place;
#[cfg(test)]
mod inhibitions;
#[cfg(test)]
#[path = "../../../exporter/tests/it/kernel.rs"]
mod kernel;
#[cfg(test)]
mod labelled_containers;
#[cfg(test)]
mod load;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod mail_faults;
#[cfg(test)]
mod memory_cap;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod probers;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod prometheus;
#[cfg(test)]
mod prometheus_files;
#[cfg(test)]
mod prometheus_flags;
#[cfg(test)]
mod query_command;
#[cfg(test)]
mod relabel_peer;
#[cfg(test)]
mod rule_files;
#[cfg(test)]
mod runbooks;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod services;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod setup;
#[cfg(test)]
mod sites;
#[cfg(test)]
mod slow_groups;
#[cfg(test)]
mod state;
#[cfg(test)]
mod support;
#[cfg(test)]
mod verdicts;
#[cfg(test)]
mod vmalert;
#[cfg(test)]
mod web_config;
