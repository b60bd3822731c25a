//! request rows and an endpoint -> predictions
