//! the tree -> its style, as tests
