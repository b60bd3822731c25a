//! records and blobs <-> disk
