//! The imports, one file an interface. Each checks what the guest sent, does it, and charges it.

pub(crate) mod files;
mod platform;
mod tables;
mod tensors;
mod training;
mod world;
