//! Children live, die and are replaced.
