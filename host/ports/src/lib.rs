//! the traits where two crates meet, on one page
