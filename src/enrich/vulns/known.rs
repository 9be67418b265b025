//! What a database of published vulnerabilities answers; `store` has one.

use std::fmt::Debug;

use crate::model::facts::{Finding, Service};

/// Something that knows of published vulnerabilities.
pub trait Vulnerabilities: Debug + Send {
    /// What is known of what this port serves, what matters most first.
    ///
    /// # Errors
    /// A sentence on why it cannot be looked up any more.
    fn known(&self, service: &Service) -> Result<Vec<Finding>, String>;
}
