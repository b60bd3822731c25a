//! TOML text -> a checked project, or every problem with its place
