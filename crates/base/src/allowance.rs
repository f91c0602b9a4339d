//! Money that a call may spend, of somebody who gives it some beside the budgets of keys and projects.

use crate::{BoxFuture, NanoDollars, Problem};
use std::fmt;
use std::sync::Arc;

/// Gives calls room to spend. Whoever makes a call sets the most it can cost aside before it leaves.
pub trait Allowance: Send + Sync {
    /// Sets money aside for a call; an error where there is not so much, and none will be given back.
    fn set_aside(&self, most: NanoDollars) -> BoxFuture<'_, Result<(), Problem>>;
}

/// An [`Allowance`], or none. Cheap to clone.
#[derive(Clone, Default)]
pub struct Allowed(Option<Arc<dyn Allowance>>);

impl Allowed {
    /// By this one.
    pub fn by(allowance: Arc<dyn Allowance>) -> Self {
        Self(Some(allowance))
    }

    /// Whoever gives it; `None` where nobody has to be asked.
    pub fn get(&self) -> Option<&Arc<dyn Allowance>> {
        self.0.as_ref()
    }
}

impl fmt::Debug for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Allowed(by somebody)" } else { "Allowed" })
    }
}
