//! What a query answers, what it cannot reach, and what it may use. Expected values are DuckDB's
//! (`tests/reference/make.py`), or stand beside the case.

mod made;

mod errors;
mod holes;
mod limits;
mod moving;
mod reference;
mod repeats;
mod shapes;
mod times;
mod types_of_answers;
