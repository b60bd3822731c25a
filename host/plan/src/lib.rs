//! a project and plugin descriptors -> a typed plan: steps in order, wiring, served path
