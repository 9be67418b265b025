//! What scans have written, read back: the parts of a scan joined into the whole, two scans compared.
//!
//! Pure: bytes come in, values and bytes go out. A file may be broken, cut off or hostile; what is wrong with it is a
//! [`Mistake`](crate::plan::Mistake) that names the line, memory follows what the file lists, and no line is longer than
//! [`LONGEST_LINE`](lines::LONGEST_LINE).
//!
//! ```text
//! JSON lines --> lines --> record --> scan_file --> merge (survey every part, join, replay into a report)
//!                                         '-------> known --.
//! XML of nmap, masscan --> nmap_xml --------------> known ---+--> diff --> changes as text, as JSON lines
//!
//! journal --> what a scan that was ended had found --> the scan that goes on
//! ```

pub mod changes;
mod count;
pub mod diff;
pub mod facts;
pub mod join;
pub mod journal;
pub mod known;
mod left;
pub mod lines;
pub mod nmap_xml;
pub mod record;
pub mod replay;
pub mod scan_file;
pub mod served;
pub mod zones;
