//! A PBX on the Tandem crates.
