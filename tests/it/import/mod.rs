//! `mcpfleet import`: what files of other programs become, and that it runs.

mod command;
mod golden;
mod hostile;
mod round_trip;
