//! artifacts -> versions, aliases, gate verdicts
