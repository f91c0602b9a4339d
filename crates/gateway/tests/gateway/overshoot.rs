//! overshoot
