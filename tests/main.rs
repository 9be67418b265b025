#![deny(unsafe_code)]

mod raw;
mod wire;
