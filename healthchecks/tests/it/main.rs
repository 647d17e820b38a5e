//! Probes beside real servers, and beside servers that do every wrong thing.

#[cfg(test)]
mod beside_blackbox;
#[cfg(test)]
mod celery;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod local;
#[cfg(test)]
mod more_faults;
#[cfg(test)]
mod names;
#[cfg(test)]
mod never_ends;
#[cfg(test)]
mod on_disk;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod rpc;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod support;
#[cfg(test)]
mod systemd;
