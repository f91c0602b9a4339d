//! Files that mean harm do none.
