//! Probes beside real servers, and beside servers that do every wrong thing.

#[cfg(test)]
mod beside_blackbox;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod more_faults;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod support;
