//! What has left, until somebody asks for it.

use crate::model::{Departure, Endpoint, Time};

/// Collects nothing before it is told to.
#[derive(Debug, Default)]
pub(super) struct Departed {
    list: Option<Vec<Departure>>,
}

impl Departed {
    /// From now on it collects.
    pub(super) fn tell(&mut self) {
        self.list.get_or_insert_default();
    }

    pub(super) fn is_told(&self) -> bool {
        self.list.is_some()
    }

    /// Probes to these had left by the time that `at` gives; it is not asked where nobody wants to know.
    pub(super) fn note(
        &mut self,
        endpoints: impl IntoIterator<Item = Endpoint>,
        at: impl FnOnce() -> Time,
    ) {
        if let Some(list) = &mut self.list {
            let at = at();
            let left = endpoints.into_iter();
            list.extend(left.map(|endpoint| Departure { endpoint, at }));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.as_ref().is_none_or(Vec::is_empty)
    }

    /// Moves what there is to `out`.
    pub(super) fn take(&mut self, out: &mut Vec<Departure>) {
        if let Some(list) = &mut self.list {
            out.append(list);
        }
    }
}
