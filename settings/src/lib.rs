//! Configuration sections: YAML with positions, defaults, environment, secrets,
//! and a reference that is generated from the same text.
//!
//! A part describes its keys once, with [`section!`]; reading a file, naming
//! every fault in it at once, and printing the reference all follow from that.
//! Nothing here knows which sections exist.

mod any;
mod duration;
mod fault;
mod file;
mod fresh;
mod go_duration;
mod macros;
mod node;
mod page;
mod reader;
mod reading;
mod reference;
mod secret;
mod size;
mod soon;
mod value;
mod veil;

pub use any::Any;
pub use duration::{format_duration, parse_duration};
pub use fault::Fault;
pub use file::read_file;
pub use fresh::read_fresh;
pub use go_duration::GoDuration;
pub use node::{Kind, Name, Node, Place, parse};
pub use page::Page;
pub use reader::{Environment, Reader};
pub use reading::{Reading, place, read, read_all, read_literal, read_tree};
pub use reference::{Key, Reference, keys};
pub use secret::{LateSecret, Secret, names_secret};
pub use size::Size;
pub use soon::{looks, read_soon};
pub use value::Value;

#[doc(hidden)]
pub use macros::{plain, text};
