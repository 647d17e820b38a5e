//! The whole program beside real servers: one binary, a file for each subject.

#[cfg(test)]
mod harness;
#[cfg(test)]
mod support;
