//! Privilege in three verbs: [`discover`] what this process may, keep nothing but the sockets that are open, and
//! [`drop_all`] of it before the first byte from the network is read.

use std::fmt;

use caps::errors::CapsError;
use caps::{CapSet, Capability};

/// Whether this process may open raw sockets, by its capabilities. A hint: whether the sockets really open decides (in a
/// user namespace the network may belong to another one).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Privilege {
    /// CAP_NET_RAW is in the effective set.
    Raw,
    /// CAP_NET_RAW is permitted, and was not made effective.
    Ineffective,
    /// Not held by this process, although it runs as root, or nobody here may have it: taken away by whoever started it.
    TakenAway,
    /// Not held.
    Unprivileged,
    /// The system has no capabilities to ask for.
    Unknown,
}

/// Capabilities by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// What the process may make effective.
    pub permitted: Vec<String>,
    /// What the kernel asks for.
    pub effective: Vec<String>,
}

/// Why privileges could not be dropped.
#[derive(Debug, thiserror::Error)]
pub enum DropError {
    /// A capability set could not be emptied.
    #[error("cannot empty the {set} capability set: {source}")]
    Set {
        set: &'static str,
        source: CapsError,
    },
    /// The kernel said yes, but the set is not empty.
    #[error("the {set} capability set still holds {left} capabilities")]
    Left { set: &'static str, left: usize },
    /// The no_new_privs attribute could not be set.
    #[error("cannot set no_new_privs: {0}")]
    NoNewPrivileges(#[from] rustix::io::Errno),
}

/// Asks which privilege this thread has, without changing any.
pub fn discover() -> Privilege {
    let holds = |set| caps::has_cap(None, set, Capability::CAP_NET_RAW);
    match (holds(CapSet::Effective), holds(CapSet::Permitted)) {
        (Ok(true), _) => Privilege::Raw,
        (Ok(false), Ok(true)) => Privilege::Ineffective,
        (Ok(false), Ok(false))
            if rustix::process::geteuid().is_root()
                || matches!(holds(CapSet::Bounding), Ok(false)) =>
        {
            Privilege::TakenAway
        }
        (Ok(false), Ok(false)) => Privilege::Unprivileged,
        _ => Privilege::Unknown,
    }
}

/// The names of the capabilities in the permitted and the effective set of this thread, in order: `CAP_NET_RAW`.
///
/// # Errors
/// Where the system does not tell.
pub fn held() -> Result<Held, CapsError> {
    let names = |set| -> Result<Vec<String>, CapsError> {
        let mut names: Vec<String> = caps::read(None, set)?
            .into_iter()
            .map(|capability| capability.to_string())
            .collect();
        names.sort();
        Ok(names)
    };
    Ok(Held {
        permitted: names(CapSet::Permitted)?,
        effective: names(CapSet::Effective)?,
    })
}

/// Empties every capability set of the calling thread (the bounding set where CAP_SETPCAP is held: without it the kernel
/// refuses) and forbids it to gain new privileges (PR_SET_NO_NEW_PRIVS). Threads that it starts later have none either, so
/// call it before the first is started.
///
/// Open sockets stay usable; connect(), reading and writing of what is open go on.
///
/// # Errors
/// Where one step fails, or did not have its effect. The caller must then not go on.
pub fn drop_all() -> Result<(), DropError> {
    rustix::thread::set_no_new_privs(true)?;
    // The bounding set first: emptying it takes a capability that is gone afterwards.
    let can_bound = caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP);
    if matches!(can_bound, Ok(true)) {
        empty("bounding", CapSet::Bounding)?;
    }
    let sets = [
        ("ambient", CapSet::Ambient),
        ("inheritable", CapSet::Inheritable),
        ("effective", CapSet::Effective),
        ("permitted", CapSet::Permitted),
    ];
    for (name, set) in sets {
        empty(name, set)?;
    }
    if !rustix::thread::no_new_privs()? {
        return Err(DropError::NoNewPrivileges(rustix::io::Errno::PERM));
    }
    Ok(())
}

fn empty(name: &'static str, set: CapSet) -> Result<(), DropError> {
    let failed = |source| DropError::Set { set: name, source };
    if matches!(set, CapSet::Bounding) {
        // The library's own clear() stops at capabilities that this kernel is too old to know.
        for capability in caps::read(None, set).map_err(failed)? {
            caps::drop(None, set, capability).map_err(failed)?;
        }
    } else {
        caps::clear(None, set).map_err(failed)?;
    }
    let left = caps::read(None, set).map_err(failed)?.len();
    if left > 0 {
        return Err(DropError::Left { set: name, left });
    }
    Ok(())
}

/// One sentence for the user.
impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "this process holds CAP_NET_RAW",
            Self::Ineffective => {
                "CAP_NET_RAW is permitted but not effective: set the file capability with +ep"
            }
            Self::TakenAway => {
                "CAP_NET_RAW was taken from this process (a container without NET_RAW?)"
            }
            Self::Unprivileged => "this process does not hold CAP_NET_RAW",
            Self::Unknown => "this system does not tell which capabilities a process holds",
        })
    }
}
