//! What several tests need.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

pub mod http;
pub mod phone;
pub mod scene;
