//! translating
