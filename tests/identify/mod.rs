//! What is behind a port, told from what real servers said (`answers/`, made by `scripts/servers --record`).

mod recorded;
