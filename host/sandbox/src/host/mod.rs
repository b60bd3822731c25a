//! The imports, one file an interface. Each checks what the guest sent, does it, and charges it.

pub(crate) mod files;
pub(crate) mod platform;
mod query;
pub(crate) mod tables;
mod tensors;
mod training;
mod trees;
mod world;
