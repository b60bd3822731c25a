//! a component, inputs and grants -> outputs
