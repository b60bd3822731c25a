//! HTTP and the local socket <-> everything above
