//! The loop that joins engine, transport and sink.
