//! a plan and events -> step calls and journal records
