//! Asterisk's configuration files.

pub mod file;
