//! argv <-> everything above.
fn main() {}
