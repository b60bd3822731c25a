//! A trained model before it serves: what would answer, what its training told, and what it may take of the machine.

use crate::{Field, Quantity, ServedStep};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything of a model that answers a request, before it is a version of the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub path: Vec<ServedStep>,
    pub predictor: ServedStep,
    /// The columns that a request must bring.
    pub request: Vec<Field>,
    /// The columns that it answers.
    pub response: Vec<Field>,
}

/// The ends of a series of numbers that an attempt told, such as the loss of each epoch. What was no finite number is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub first: Option<f64>,
    pub last: Option<f64>,
    pub points: u64,
}

impl Series {
    /// With one more point.
    pub fn add(&mut self, value: Option<f64>) {
        if self.points == 0 {
            self.first = value;
        }
        (self.last, self.points) = (value, self.points.saturating_add(1));
    }
}

/// What a version may take of the machine where it serves; none: as much as any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Of 100 requests of one row 99 are answered within this.
    pub latency_ms: Option<u64>,
    /// The most that its worker has resident.
    pub memory_bytes: Option<u64>,
}

/// For people: `budget 20 ms, 200 MiB`.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.latency_ms.map(Quantity::Milliseconds), self.memory_bytes.map(Quantity::Bytes)];
        let parts: Vec<_> = parts.into_iter().flatten().map(|part| part.to_string()).collect();
        write!(f, "budget {}", parts.join(", "))
    }
}
