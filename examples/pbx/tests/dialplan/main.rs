//! The dialplan: what Asterisk's files mean, and what is done with a call.

mod engine;
mod hostile;
mod mistakes;
mod order;
mod patterns;
mod samples;
mod stage;
mod values;
