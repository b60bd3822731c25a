//! A data folder -> one running installation: plugins, runs, endpoints.
